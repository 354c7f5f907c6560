"""The icon, drawn in code: no files to find, and every panel gets exactly its size.

A drawing is made several times too large as a mask and averaged down, which gives each pixel the share of it that is
covered. Images that come from here are cached: they are to be read, not drawn upon.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterable
from functools import lru_cache

from PIL import Image, ImageDraw

from ccproxy_tray.tray import palette, shape
from ccproxy_tray.tray.palette import COLOURS, Colour
from ccproxy_tray.tray.shape import Blob, Part, Point, RightHalf, Wire
from ccproxy_tray.tray.view import IconState

__all__ = ["COLOURS", "argb", "bitmap", "inked", "mask", "render", "template"]

CACHED = 64
"""Images kept: all that a session shows, many times over."""
OUTLINE = 0.6
"""How far the outline for panels of unknown colour reaches, and ..."""
OUTLINE_ALPHA = 0.55
"""... how much of the panel it hides."""
GAP = 1.2
"""What the badge keeps free around itself. Like OUTLINE in sixteenths of the size."""


@lru_cache(maxsize=CACHED)
def render(state: IconState, size: int, *, dark: bool | None, simulated: bool = False) -> Image.Image:
    """The icon in colour, RGBA and square.

    ``dark`` tells the panel's background: dark, light, or None where nobody knows, which gives colours between the two
    with an outline. ``simulated`` adds a badge below: a lozenge.
    """
    colours = palette.colours(dark=dark)
    steps = _mark(state, size, simulated=simulated)
    image = Image.new("RGBA", (size, size), (*colours[state], 0))
    if dark is None:
        border = mask(steps, size, OUTLINE * size / 16).point(_dimmed)
        image = Image.alpha_composite(image, inked(palette.outline(colours[state]), border))
    image = Image.alpha_composite(image, inked(colours[state], mask(steps, size)))
    if simulated:
        badge = inked(palette.simulated(dark=dark), mask([Part(shape.simulated(size))], size))
        image = Image.alpha_composite(image, badge)
    return image


@lru_cache(maxsize=CACHED)
def template(state: IconState, size: int, *, simulated: bool = False) -> Image.Image:
    """The icon as black and alpha alone, which macOS tints to its menu bar (NSImage, ``isTemplate``)."""
    badge = (Part(shape.simulated(size)),) if simulated else ()
    return inked((0, 0, 0), mask((*_mark(state, size, simulated=simulated), *badge), size))


def argb(image: Image.Image) -> bytes:
    """The pixels of an RGBA image as StatusNotifierItem's IconPixmap wants them: ARGB32 in network byte order."""
    red, green, blue, alpha = image.split()
    return Image.merge("RGBA", (alpha, red, green, blue)).tobytes()


_BITMAP_HEADER = struct.Struct("<IiiHHIIiiII")
"""BITMAPINFOHEADER: its length, width, height of image and mask together, planes, bits per pixel, and no more."""


def bitmap(image: Image.Image) -> bytes:
    """An image as Windows takes icons: rows from below, blue first; then a mask, unread where there is alpha.

    Written here because Pillow's own writer first loads a dozen plugins, which takes longer than everything else.
    """
    header = _BITMAP_HEADER.pack(_BITMAP_HEADER.size, image.width, image.height * 2, 1, 32, 0, 0, 0, 0, 0, 0)
    words_per_mask_row = (image.width + 31) // 32
    return header + image.tobytes("raw", "BGRA", 0, -1) + bytes(words_per_mask_row * 4 * image.height)


def _mark(state: IconState, size: int, *, simulated: bool) -> tuple[Part, ...]:
    """The state's drawing. It gives way to the badge, so that this stands apart from it without any colour."""
    drawing = shape.parts(state, size)
    if not simulated:
        return drawing
    return *drawing, Part(shape.grown(shape.simulated(size), GAP * size / 16), cut=True)


def _dimmed(alpha: int) -> int:
    return round(alpha * OUTLINE_ALPHA)


def inked(colour: Colour, coverage: Image.Image) -> Image.Image:
    """One colour, as opaque as a mask says. What is transparent has that colour too, so that scaling adds none."""
    image = Image.new("RGBA", coverage.size, colour)
    image.putalpha(coverage)
    return image


def mask(steps: Iterable[Part], size: int, grow: float = 0.0) -> Image.Image:
    """How much of each pixel a drawing covers, 0 to 255; what is painted may be grown, cuts stay as they are."""
    scale = 8 if size <= 64 else 4
    canvas = Image.new("L", (size * scale, size * scale))
    brush = _Brush(ImageDraw.Draw(canvas), scale)
    for step in steps:
        brush.draw(step.form, 0.0 if step.cut else grow, 0 if step.cut else 255)
    return canvas.reduce(scale)


class _Brush:
    """Draws forms on an enlarged canvas.

    Pillow draws every pixel that an edge runs through, so that a form comes out half a pixel too large all around. What
    it is told is therefore half a pixel smaller, and counted from the middle of the first pixel.
    """

    def __init__(self, draw: ImageDraw.ImageDraw, scale: int) -> None:
        self._draw = draw
        self._scale = scale

    def draw(self, form: Blob | Wire | RightHalf, grow: float, ink: int) -> None:
        if isinstance(form, Blob):
            self._blob(form.points, form.radius + grow, ink)
        elif isinstance(form, Wire):
            half = form.half + grow
            self._draw.rectangle(self._box(form.left, form.y - half, form.right, form.y + half), fill=ink)
        else:
            self._draw.pieslice(self._around(form.centre, form.radius), -90, 90, fill=ink)

    def _blob(self, points: tuple[Point, ...], radius: float, ink: int) -> None:
        self._polygon(points, ink)
        for start, end in zip(points, (*points[1:], points[0]), strict=True):
            self._draw.ellipse(self._around(start, radius), fill=ink)
            if start != end:
                self._polygon(_band(start, end, radius - 0.5 / self._scale), ink)

    def _polygon(self, points: tuple[Point, ...], ink: int) -> None:
        if len(points) > 2:
            self._draw.polygon([(x * self._scale - 0.5, y * self._scale - 0.5) for x, y in points], fill=ink)

    def _around(self, centre: Point, radius: float) -> tuple[float, float, float, float]:
        x, y = centre
        return self._box(x - radius, y - radius, x + radius, y + radius)

    def _box(self, left: float, top: float, right: float, bottom: float) -> tuple[float, float, float, float]:
        scale = self._scale
        return left * scale, top * scale, right * scale - 1, bottom * scale - 1


def _band(start: Point, end: Point, half: float) -> tuple[Point, ...]:
    """The rectangle along a line, ``half`` to each of its sides."""
    (x0, y0), (x1, y1) = start, end
    length = math.hypot(x1 - x0, y1 - y0)
    across, down = (y0 - y1) / length * half, (x1 - x0) / length * half
    return (x0 + across, y0 + down), (x1 + across, y1 + down), (x1 - across, y1 - down), (x0 - across, y0 - down)
