"""What stands on a screen, read from its pixels."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from PIL import Image, ImageChops

from ccproxy_tray.tray.palette import Colour

SEEN = 24
"""By how much a channel differs from its surroundings before one calls it a picture."""


class Box(NamedTuple):
    """A rectangle on the screen, in pixels; right and bottom are the first that lie outside."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def middle(self) -> tuple[int, int]:
        """Where one would click it."""
        return (self.left + self.right) // 2, (self.top + self.bottom) // 2

    def row(self, band: tuple[int, int]) -> Box:
        """A strip of it, by its top and bottom within."""
        return Box(self.left, self.top + band[0], self.right, self.top + band[1])

    def holds(self, other: Box) -> bool:
        """Whether the other lies within."""
        return Box(*map(min, self[:2], other[:2]), *map(max, self[2:], other[2:])) == self


def background(image: Image.Image) -> Colour:
    """The colour that most of it has."""
    colours: list[tuple[int, Colour]] = image.getcolors(image.width * image.height)  # type: ignore[assignment]  # RGB
    return max(colours)[1]


def ink(image: Image.Image) -> Image.Image:
    """White where something stands out from the background, black elsewhere."""
    difference = ImageChops.difference(image, Image.new("RGB", image.size, background(image)))
    channels = [channel.point(lambda value: 255 * (value > SEEN)) for channel in difference.split()]
    return ImageChops.lighter(ImageChops.lighter(*channels[:2]), channels[2])


def drawn(image: Image.Image) -> Box | None:
    """The bounds of all that stands out from the background."""
    found = ink(image).getbbox()
    return found and Box(*found)


def exactly(image: Image.Image, colour: Colour) -> Image.Image:
    """White where a pixel has this very colour."""
    difference = ImageChops.difference(image, Image.new("RGB", image.size, colour))
    channels = [channel.point(lambda value: 255 * (value == 0)) for channel in difference.split()]
    return ImageChops.darker(ImageChops.darker(*channels[:2]), channels[2])


def overlap(one: Image.Image, other: Image.Image) -> float:
    """Of what two masks cover, the share that both do (intersection over union)."""
    both, any_ = (
        sum(mask.histogram()[128:]) for mask in (ImageChops.darker(one, other), ImageChops.lighter(one, other))
    )
    return both / any_ if any_ else 0.0


def likeness(image: Image.Image, expected: Image.Image) -> float:
    """How much of a picture stands there, wherever that is: 1 is all of it and nothing else."""
    box = drawn(image)
    if box is None:
        return 0.0
    shown = Image.new("RGB", image.size, background(image))
    shown.paste(expected, (0, 0), expected)
    bounds = drawn(shown)
    assert bounds is not None
    moved = ImageChops.offset(shown, box.left - bounds.left, box.top - bounds.top)
    return overlap(ink(image), ink(moved))


def bands(image: Image.Image) -> list[tuple[int, int]]:
    """The rows of a menu: top and bottom of each strip in which something is drawn, frame and emptiness left out."""
    found: list[tuple[int, int]] = []
    for top, bottom in _runs(ink(image).crop((2, 2, image.width - 2, image.height - 2))):
        found.append((top + 2, bottom + 2))
    return found


def is_line(image: Image.Image, band: tuple[int, int]) -> bool:
    """Whether a strip is a separator: it reaches from side to side, in one colour."""
    strip = image.crop((2, band[0], image.width - 2, band[1]))
    return len(set(_pixels(strip))) == 1


def _pixels(image: Image.Image) -> Iterable[Colour]:
    data = image.tobytes()
    return zip(data[::3], data[1::3], data[2::3], strict=True)


def _runs(mask: Image.Image) -> Iterator[tuple[int, int]]:
    start = None
    data = mask.tobytes()
    for y in range(mask.height + 1):
        inked = any(data[y * mask.width : (y + 1) * mask.width])
        if inked and start is None:
            start = y
        elif not inked and start is not None:
            yield start, y
            start = None
