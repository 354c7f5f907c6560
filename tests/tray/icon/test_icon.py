from __future__ import annotations

import colorsys
import io
import struct
from collections.abc import Callable
from itertools import combinations

import pytest
from PIL import Image

from ccproxy_tray.tray import icon, palette
from ccproxy_tray.tray.palette import Colour
from ccproxy_tray.tray.view import IconState

SIZES = (16, 20, 22, 24, 32, 40, 44, 48, 64)
SMALL = (16, 22)
PANELS = (True, False, None)
MAX_OVERLAP = 0.78
"""Of what two silhouettes cover, the share that both do (intersection over union)."""

each_state = pytest.mark.parametrize("state", IconState)
each_size = pytest.mark.parametrize("size", SIZES)
each_panel = pytest.mark.parametrize("dark", PANELS)


def alpha(image: Image.Image) -> bytes:
    return image.getchannel("A").tobytes()


def silhouette(image: Image.Image) -> set[int]:
    return {at for at, value in enumerate(alpha(image)) if value > 127}


def overlap(one: set[int], other: set[int]) -> float:
    return len(one & other) / len(one | other)


def luminance(colour: Colour) -> float:
    """Relative luminance as WCAG 2.2 defines it."""
    parts = [value / 255 for value in colour]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: Colour, other: Colour) -> float:
    bright, dim = sorted((luminance(one), luminance(other)), reverse=True)
    return (bright + 0.05) / (dim + 0.05)


def opaque(image: Image.Image) -> dict[Colour, int]:
    """How many pixels each colour has that lets nothing through."""
    data = image.tobytes()
    counts: dict[Colour, int] = {}
    for at in range(0, len(data), 4):
        if data[at + 3] == 255:
            colour = (data[at], data[at + 1], data[at + 2])
            counts[colour] = counts.get(colour, 0) + 1
    return counts


def dominant(image: Image.Image) -> Colour:
    counts = opaque(image)
    return max(counts, key=lambda colour: counts[colour])


def shown_on(image: Image.Image, panel: Colour) -> set[int]:
    """The pixels that stand out from a panel by 2:1 in luminance."""
    drawn = Image.alpha_composite(Image.new("RGBA", image.size, (*panel, 255)), image).tobytes()
    pixels = ((drawn[at], drawn[at + 1], drawn[at + 2]) for at in range(0, len(drawn), 4))
    return {at for at, pixel in enumerate(pixels) if contrast(pixel, panel) > 2}


@pytest.mark.parametrize("size", SMALL)
@pytest.mark.parametrize(("one", "other"), list(combinations(IconState, 2)))
def test_states_differ_in_silhouette(one: IconState, other: IconState, size: int) -> None:
    assert overlap(silhouette(icon.template(one, size)), silhouette(icon.template(other, size))) < MAX_OVERLAP


@pytest.mark.parametrize("size", SMALL)
@pytest.mark.parametrize(
    ("dark", "panel"),
    [(True, (0, 0, 0)), (False, (255, 255, 255)), (None, (0, 0, 0)), (None, (255, 255, 255)), (None, (48, 48, 48))],
)
def test_states_differ_in_what_stands_out_from_a_panel(dark: bool | None, panel: Colour, size: int) -> None:
    shown = [shown_on(icon.render(state, size, dark=dark), panel) for state in IconState]
    for one, other in combinations(shown, 2):
        assert overlap(one, other) < MAX_OVERLAP


@each_state
def test_an_icon_has_the_same_silhouette_on_every_panel(state: IconState) -> None:
    dark, light = (silhouette(icon.render(state, 32, dark=dark)) for dark in (True, False))
    assert dark == light == silhouette(icon.template(state, 32))


@each_size
@each_state
@each_panel
def test_an_icon_is_dominated_by_its_states_colour(dark: bool | None, state: IconState, size: int) -> None:
    image = icon.render(state, size, dark=dark)
    assert dominant(image) == palette.colours(dark=dark)[state]
    assert opaque(image)[dominant(image)] >= size * size // 10


@each_panel
@pytest.mark.parametrize(
    ("state", "hues"),
    [
        (IconState.SERVING, range(110, 160)),
        (IconState.FALLBACK, range(205, 230)),
        (IconState.COOLING, range(28, 48)),
    ],
)
def test_colours_mean_what_they_mean_elsewhere(state: IconState, hues: range, dark: bool | None) -> None:
    hue, saturation, _ = colorsys.rgb_to_hsv(*(part / 255 for part in dominant(icon.render(state, 22, dark=dark))))
    assert round(hue * 360) in hues
    assert saturation > 0.5


@each_panel
def test_an_error_is_red(dark: bool | None) -> None:
    red, green, blue = dominant(icon.render(IconState.ERROR, 22, dark=dark))
    assert red > 2 * max(green, blue)


@each_panel
@pytest.mark.parametrize("state", [IconState.OFFLINE, IconState.OFF])
def test_what_does_not_work_by_choice_or_chance_is_grey(state: IconState, dark: bool | None) -> None:
    _, saturation, _ = colorsys.rgb_to_hsv(*(part / 255 for part in dominant(icon.render(state, 22, dark=dark))))
    assert saturation < 0.3


@pytest.mark.parametrize(
    ("dark", "panel"), [(True, (0, 0, 0)), (False, (255, 255, 255)), (None, (0, 0, 0)), (None, (255, 255, 255))]
)
def test_every_colour_stands_out_from_its_panel(dark: bool | None, panel: Colour) -> None:
    for colour in (*palette.colours(dark=dark).values(), palette.simulated(dark=dark)):
        assert contrast(colour, panel) >= 3


@each_state
def test_an_icon_shows_on_a_panel_of_its_own_colour(state: IconState) -> None:
    panel = icon.COLOURS[state]
    image = icon.render(state, 22, dark=None)
    drawn = Image.alpha_composite(Image.new("RGBA", image.size, (*panel, 255)), image)
    assert max(contrast(colour, panel) for colour in opaque(drawn)) > 1.5


@each_state
def test_only_an_icon_for_an_unknown_panel_has_an_outline(state: IconState) -> None:
    plain, outlined = (alpha(icon.render(state, 32, dark=dark)) for dark in (True, None))
    assert sum(map(bool, outlined)) > sum(map(bool, plain))
    assert plain == alpha(icon.template(state, 32))


def frame(image: Image.Image) -> int:
    """How much ink lies on the outermost pixels."""
    side = image.width
    inner = image.getchannel("A")
    inner.paste(0, (1, 1, side - 1, side - 1))
    return sum(inner.tobytes())


@each_size
@pytest.mark.parametrize("simulated", [False, True])
def test_nothing_touches_the_edge(size: int, simulated: bool) -> None:
    for state in IconState:
        images = [icon.render(state, size, dark=dark, simulated=simulated) for dark in PANELS]
        assert [frame(image) for image in images] == [0, 0, 0], state


@each_size
@each_state
def test_an_icon_fills_its_square(state: IconState, size: int) -> None:
    box = icon.template(state, size).getchannel("A").getbbox()
    assert box is not None
    left, top, right, bottom = box
    assert right - left >= 0.7 * size
    assert bottom - top >= 0.7 * size
    assert abs(left - (size - right)) <= 1


@each_size
@pytest.mark.parametrize(
    ("state", "tolerance"),
    [(IconState.IDLE, 0), (IconState.SERVING, 0), (IconState.OFF, 0), (IconState.ERROR, 40), (IconState.COOLING, 40)],
)
def test_a_mark_is_symmetric_to_the_pixel(state: IconState, tolerance: int, size: int) -> None:
    """Slanted edges to less than a sixth of a pixel, all others exactly."""
    image = icon.template(state, size)
    mirrored = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    assert max(abs(one - other) for one, other in zip(alpha(image), alpha(mirrored), strict=True)) <= tolerance


@each_size
@pytest.mark.parametrize("state", [IconState.IDLE, IconState.SERVING, IconState.FALLBACK])
def test_edges_along_the_axes_are_crisp(state: IconState, size: int) -> None:
    channel = icon.template(state, size).getchannel("A")
    middle = channel.crop((size // 2 - 1, 0, size // 2, size)).tobytes()
    terminal = channel.crop((1, 0, size // 8, size)).tobytes()
    assert all(value < 16 or value > 239 for value in middle + terminal)


@each_size
def test_the_triangle_stands_on_a_crisp_base(size: int) -> None:
    column = icon.template(IconState.COOLING, size).getchannel("A").crop((size // 2, 0, size // 2 + 1, size)).tobytes()
    lowest = len(column.rstrip(b"\0"))
    assert column[lowest - 1] == 255


@pytest.mark.parametrize("size", SMALL)
@each_state
def test_the_badge_is_told_by_shape(state: IconState, size: int) -> None:
    plain, marked = (silhouette(icon.template(state, size, simulated=simulated)) for simulated in (False, True))
    assert overlap(plain, marked) < 0.92


@each_state
@each_panel
def test_the_badge_has_a_colour_of_its_own(state: IconState, dark: bool | None) -> None:
    marked = opaque(icon.render(state, 22, dark=dark, simulated=True))
    assert marked[palette.simulated(dark=dark)] >= 12


@pytest.mark.parametrize("size", SMALL)
def test_a_badge_stands_apart_from_the_mark(size: int) -> None:
    """From the badge on the solid disc, every way to the disc leads over something that is nearly clear."""
    image = icon.template(IconState.SERVING, size, simulated=True)
    solid = {divmod(at, size) for at, value in enumerate(alpha(image)) if value > 200}
    start = max(solid)  # the badge is the lowest
    seen, todo = {start}, [start]
    while todo:
        y, x = todo.pop()
        near = {(y + down, x + across) for down in (-1, 0, 1) for across in (-1, 0, 1)} & solid - seen
        seen |= near
        todo += near
    assert (size // 2, size // 4) in solid - seen


@each_size
@each_state
def test_a_template_is_black_and_alpha_alone(state: IconState, size: int) -> None:
    image = icon.template(state, size, simulated=True)
    assert image.mode == "RGBA"
    assert [image.getchannel(band).getextrema() for band in "RGB"] == [(0, 0)] * 3
    assert image.getchannel("A").getextrema() == (0, 255)


def test_a_pixmap_is_argb_in_network_byte_order() -> None:
    image = Image.new("RGBA", (2, 1))
    image.putpixel((0, 0), (1, 2, 3, 4))
    image.putpixel((1, 0), (0xA0, 0xB0, 0xC0, 0xD0))
    assert icon.argb(image) == bytes([4, 1, 2, 3, 0xD0, 0xA0, 0xB0, 0xC0])


@pytest.mark.parametrize("size", [16, 48])
def test_a_pixmap_holds_the_whole_icon(size: int) -> None:
    image = icon.render(IconState.FALLBACK, size, dark=None)
    data = icon.argb(image)
    assert len(data) == size * size * 4
    assert data[::4] == alpha(image)


def ico(image: Image.Image) -> bytes:
    """A Windows icon file with one image, for Pillow to read: ICONDIR, ICONDIRENTRY, bitmap."""
    bits = icon.bitmap(image)
    header = struct.pack("<HHHBBBBHHII", 0, 1, 1, image.width, image.height, 0, 0, 1, 32, len(bits), 22)
    return header + bits


@each_state
def test_a_bitmap_holds_the_icon_as_it_is_drawn(state: IconState) -> None:
    for size in (16, 20, 24, 32, 40, 48, 64):  # at the scales that Windows offers
        image = icon.render(state, size, dark=True, simulated=True)
        with Image.open(io.BytesIO(ico(image)), formats=("ICO",)) as file:
            read = file.convert("RGBA")
        assert (read.size, read.tobytes()) == (image.size, image.tobytes())


@pytest.mark.parametrize(
    "draw",
    [
        lambda: icon.render.__wrapped__(IconState.FALLBACK, 22, dark=None, simulated=True).tobytes(),
        lambda: icon.template.__wrapped__(IconState.OFFLINE, 44).tobytes(),
        lambda: icon.bitmap(icon.render.__wrapped__(IconState.COOLING, 16, dark=None)),
    ],
)
def test_drawing_is_deterministic(draw: Callable[[], bytes]) -> None:
    assert draw() == draw()


def test_an_icon_is_drawn_once() -> None:
    assert icon.render(IconState.OFF, 24, dark=None) is icon.render(IconState.OFF, 24, dark=None)
    assert icon.render.cache_info().maxsize == icon.CACHED


def test_transparent_pixels_have_the_marks_colour_so_that_scaling_adds_no_fringe() -> None:
    image = icon.render(IconState.SERVING, 22, dark=True)
    assert image.getpixel((0, 0)) == (*palette.ON_DARK[IconState.SERVING], 0)
