"""Writes the files of assets/: the program's icon for launchers, packages and bundles, from the tray icon's geometry.

``python packaging/icons.py`` from the root of the checkout.
"""

from __future__ import annotations

import io
from pathlib import Path

from PIL import Image

from ccproxy_tray.tray import icon, shape
from ccproxy_tray.tray.palette import ON_DARK, Colour
from ccproxy_tray.tray.shape import Blob, Part, RightHalf, Wire
from ccproxy_tray.tray.view import IconState

ASSETS = Path(__file__).resolve().parent.parent / "assets"
NAME = "ccproxy-tray"
PNG_SIZES = (16, 22, 24, 32, 48, 64, 128, 256, 512)
"""Sizes of hicolor's folders (Icon Theme Specification)."""
ICO_SIZES = (16, 24, 32, 48, 64, 256)
"""Sizes that Windows' shell asks of a program's icon."""
ICNS_SIZES = (32, 64, 128, 256, 512, 1024)
"""Sizes in pixels of the entries ic07 to ic14 of an Apple icon file."""
TILE: Colour = (36, 54, 86)
WHITE: Colour = (245, 248, 252)
GREEN = ON_DARK[IconState.SERVING]
SVG_SIZE = 128


def layers(size: int) -> tuple[tuple[Colour, tuple[Part, ...]], ...]:
    """The mark: a node on a wire, one half of which serves. The green reaches just below the white around it."""
    node = shape.parts(IconState.IDLE, size)
    filling = shape.grown(_hole(node), 0.5)
    half = Part(filling), Part(RightHalf(filling.points[0], filling.radius), cut=True)
    return (GREEN, half), (WHITE, node)


def _hole(node: tuple[Part, ...]) -> Blob:
    form = node[-1].form
    assert isinstance(form, Blob)
    return form


def tile(size: int, margin: float) -> Part:
    """The square with round corners that the mark stands on."""
    radius = (size - 2 * margin) / 5
    near, far = margin + radius, size - margin - radius
    return Part(Blob(((near, near), (far, near), (far, far), (near, far)), radius))


def mark_size(size: int, margin: float) -> int:
    """How large the mark is drawn, so that the same whole number of pixels is left on all its sides."""
    return round((size - 2 * margin) * 0.42) * 2


def draw(size: int, margin: float) -> Image.Image:
    """The program's icon, with ``margin`` pixels around its tile."""
    image = icon.inked(TILE, icon.mask([tile(size, margin)], size))
    inner = mark_size(size, margin)
    corner = (size - inner) // 2
    for colour, parts in layers(inner):
        image.alpha_composite(icon.inked(colour, icon.mask(parts, inner)), (corner, corner))
    return image


def image_file(kind: str, images: list[Image.Image]) -> bytes:
    """A file of one or many images, of which the last is the largest."""
    file = io.BytesIO()
    largest, others = images[-1], images[:-1]
    if kind == "PNG":
        largest.save(file, kind, optimize=True)
    else:
        largest.save(file, kind, sizes=[image.size for image in images], append_images=others)
    return file.getvalue()


def svg() -> str:
    """The icon as a drawing, in nothing but plain forms, which every renderer knows."""
    inner = mark_size(SVG_SIZE, SVG_SIZE / 32)
    corner = (SVG_SIZE - inner) // 2
    node = shape.parts(IconState.IDLE, inner)
    wires = [part.form for part in node if isinstance(part.form, Wire)]
    disc, hole = (part.form for part in node if isinstance(part.form, Blob))
    margin = SVG_SIZE // 32
    side = SVG_SIZE - 2 * margin
    x, y = hole.points[0]
    r = hole.radius
    ring = f'r="{(disc.radius + r) / 2:g}" stroke-width="{disc.radius - r:g}"'
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {SVG_SIZE} {SVG_SIZE}">',
        f'<rect x="{margin}" y="{margin}" width="{side}" height="{side}" rx="{side / 5:g}" fill="{_web(TILE)}"/>',
        f'<g transform="translate({corner} {corner})" fill="{_web(WHITE)}">',
        f'<path d="M{x:g} {y - r:g}a{r:g} {r:g} 0 0 0 0 {2 * r:g}z" fill="{_web(GREEN)}"/>',
        f'<circle cx="{x:g}" cy="{y:g}" {ring} stroke="{_web(WHITE)}" fill="none"/>',
    ]
    for wire in wires:
        box = f'x="{wire.left:g}" y="{wire.y - wire.half:g}" width="{wire.right - wire.left:g}"'
        lines.append(f'<rect {box} height="{2 * wire.half:g}"/>')
    return "\n".join([*lines, "</g>", "</svg>", ""])


def _web(colour: Colour) -> str:
    return "#{:02x}{:02x}{:02x}".format(*colour)


def files() -> dict[str, bytes]:
    """Every file by its name."""
    made = {f"{NAME}-{size}.png": image_file("PNG", [draw(size, size // 32)]) for size in PNG_SIZES}
    made[f"{NAME}.ico"] = image_file("ICO", [draw(size, size // 32) for size in ICO_SIZES])
    # Apple's icon grid leaves a tenth free on each side.
    made[f"{NAME}.icns"] = image_file("ICNS", [draw(size, size / 10) for size in ICNS_SIZES])
    made[f"{NAME}.svg"] = svg().encode()
    return made


if __name__ == "__main__":
    ASSETS.mkdir(exist_ok=True)
    for name, content in files().items():
        (ASSETS / name).write_bytes(content)
