from __future__ import annotations

import importlib.util
import io
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from xml.etree import ElementTree as ET

import pytest
from PIL import IcnsImagePlugin, IcoImagePlugin, Image

ROOT = Path(__file__).parents[3]
ASSETS = ROOT / "assets"
TOLERANCE = 8
"""Of 255. Releases of Pillow may round otherwise."""


def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("icons_script", ROOT / "packaging" / "icons.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def made() -> dict[str, bytes]:
    files: dict[str, bytes] = script().files()
    return files


def pictures(name: str, content: bytes) -> dict[tuple[int, ...], Image.Image]:
    """Every image in a file by its size."""
    return {image.size: image.convert("RGBA") for image in _read(name, io.BytesIO(content))}


def _read(name: str, file: io.BytesIO) -> Iterator[Image.Image]:
    if name.endswith(".ico"):
        ico = IcoImagePlugin.IcoFile(file)
        yield from (ico.getimage(size) for size in ico.sizes())
    elif name.endswith(".icns"):
        icns = IcnsImagePlugin.IcnsFile(file)
        yield from (icns.getimage(size) for size in icns.itersizes())
    else:
        yield Image.open(file)


def test_assets_are_what_the_script_makes(made: dict[str, bytes]) -> None:
    assert {path.name for path in ASSETS.iterdir()} == {*made, "README.md"}
    for name in made.keys() - {"ccproxy-tray.svg"}:
        stored, drawn = pictures(name, (ASSETS / name).read_bytes()), pictures(name, made[name])
        assert stored.keys() == drawn.keys(), name
        for size, image in stored.items():
            pairs = zip(image.tobytes(), drawn[size].tobytes(), strict=True)
            assert max(abs(one - other) for one, other in pairs) <= TOLERANCE, (name, size)


def test_the_drawing_is_what_the_script_makes(made: dict[str, bytes]) -> None:
    stored = (ASSETS / "ccproxy-tray.svg").read_bytes()
    assert stored.replace(b"\r\n", b"\n") == made["ccproxy-tray.svg"]  # a checkout may have turned the line ends
    drawing = ET.fromstring(stored)  # noqa: S314  # our own file
    assert drawing.attrib["viewBox"] == "0 0 128 128"
    assert drawing.findall(".//{*}image") == []


def test_the_script_makes_the_same_bytes_every_time(made: dict[str, bytes]) -> None:
    assert script().files() == made


def test_a_png_has_the_size_in_its_name(made: dict[str, bytes]) -> None:
    names = [name for name in made if name.endswith(".png")]
    assert len(names) == 9
    for name in names:
        side = int(name.removesuffix(".png").rpartition("-")[2])
        assert list(pictures(name, made[name])) == [(side, side)]


@pytest.mark.parametrize(
    ("name", "sides"),
    [("ccproxy-tray.ico", {16, 24, 32, 48, 64, 256}), ("ccproxy-tray.icns", {16, 32, 128, 256, 512})],
)
def test_a_bundle_holds_every_size(made: dict[str, bytes], name: str, sides: set[int]) -> None:
    if name.endswith(".ico"):
        assert IcoImagePlugin.IcoFile(io.BytesIO(made[name])).sizes() == {(side, side) for side in sides}
    else:
        sizes = IcnsImagePlugin.IcnsFile(io.BytesIO(made[name])).itersizes()
        assert {(width, height, scale) for width, height, scale in sizes} >= {(side, side, 2) for side in sides}


def test_assets_are_small() -> None:
    assert sum(path.stat().st_size for path in ASSETS.iterdir()) < 150_000
