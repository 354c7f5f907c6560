"""The icon's geometry: what is drawn for each state, in pixels of the finished icon. Nothing is drawn here.

The mark is a node on a wire. It rhymes with the symbols of the menu's first line (○ ● ◐ ▲ ✕), and its two terminals are
there as long as requests find a way through. Every edge that runs along an axis lies on the pixel grid of its size, so
that small icons are crisp.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from ccproxy_tray.tray.view import IconState

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Blob:
    """What a disc of ``radius`` covers that is dragged over the convex polygon of ``points``.

    One point makes a disc, two a bar with round ends, more a polygon with round corners.
    """

    points: tuple[Point, ...]
    radius: float


@dataclass(frozen=True, slots=True)
class Wire:
    """A horizontal bar with square ends. An outline runs along it, not around its ends."""

    left: float
    right: float
    y: float
    half: float
    """Half its thickness."""


@dataclass(frozen=True, slots=True)
class RightHalf:
    """The right half of a disc."""

    centre: Point
    radius: float


@dataclass(frozen=True, slots=True)
class Part:
    """One step of a drawing: a form that is painted, or cut out of what was painted so far."""

    form: Blob | Wire | RightHalf
    cut: bool = False


@dataclass(frozen=True, slots=True)
class _Grid:
    """The measures of one size, of which the design's are those at 16 pixels."""

    size: int

    @property
    def centre(self) -> float:
        return self.size / 2

    def at(self, x: float, y: float) -> Point:
        """A point, given from the centre in sixteenths of the size."""
        return self.centre + x * self.size / 16, self.centre + y * self.size / 16

    def snapped(self, length: float) -> int:
        """A length, given in sixteenths, in whole pixels."""
        return max(1, math.floor(length * self.size / 16 + 0.5))

    def disc(self, radius: float) -> Blob:
        return Blob((self.at(0, 0),), radius)

    def wire(self, left: float, right: float) -> Wire:
        """A piece of the wire, in pixels from the centre; as thick as lets both its edges meet the grid."""
        return Wire(self.centre + left, self.centre + right, self.centre, self.snapped(0.99))

    @property
    def radius(self) -> int:
        """The node's."""
        return self.snapped(6)

    @property
    def reach(self) -> int:
        """From the centre to where the wire ends."""
        return self.snapped(7)


def parts(state: IconState, size: int) -> tuple[Part, ...]:
    """What shows a state in an icon of ``size`` pixels, an even number from 16 on. Later parts lie over earlier."""
    return _DRAWINGS[state](_Grid(size))


def simulated(size: int) -> Blob:
    """The badge of a simulated outage: a lozenge in the lower corner."""
    grid = _Grid(size)
    return Blob((grid.at(3.75, 0.75), grid.at(6.5, 3.75), grid.at(3.75, 6.5), grid.at(0.75, 3.75)), 0.25 * size / 16)


def grown(blob: Blob, by: float) -> Blob:
    """The blob and everything within a distance of it."""
    return Blob(blob.points, blob.radius + by)


def _terminals(grid: _Grid) -> tuple[Part, ...]:
    """The wire's two ends, which reach a little into the node."""
    inner = grid.radius - 1
    return Part(grid.wire(-grid.reach, -inner)), Part(grid.wire(inner, grid.reach))


def _ring(grid: _Grid) -> tuple[Part, ...]:
    return Part(grid.disc(grid.radius)), Part(grid.disc(grid.radius - grid.snapped(1.75)), cut=True)


def _bar(grid: _Grid, start: Point, end: Point, half: float) -> Blob:
    """A bar with round ends between two points in sixteenths, with half its thickness."""
    return Blob((grid.at(*start), grid.at(*end)), half * grid.size / 16)


def _idle(grid: _Grid) -> tuple[Part, ...]:
    """A hollow node."""
    return (*_terminals(grid), *_ring(grid))


def _serving(grid: _Grid) -> tuple[Part, ...]:
    """A solid node."""
    return (*_terminals(grid), Part(grid.disc(grid.radius)))


def _fallback(grid: _Grid) -> tuple[Part, ...]:
    """A node that is half there."""
    hollow = RightHalf(grid.at(0, 0), grid.radius - grid.snapped(1.25))
    return (*_serving(grid), Part(hollow, cut=True))


def _cooling(grid: _Grid) -> tuple[Part, ...]:
    """A triangle, whose base lies on the grid, as low as the node's lowest point."""
    corner = grid.size / 16
    base = grid.centre + grid.radius - corner
    apex, right, left = grid.at(0, -5), grid.at(5.25, 0)[0], grid.at(-5.25, 0)[0]
    return (Part(Blob((apex, (right, base), (left, base)), corner)),)


def _offline(grid: _Grid) -> tuple[Part, ...]:
    """A broken ring, with the stroke that broke it."""
    ends = (-4.75, 4.75), (4.75, -4.75)
    return (*_ring(grid), Part(_bar(grid, *ends, 2), cut=True), Part(_bar(grid, *ends, 0.85)))


def _error(grid: _Grid) -> tuple[Part, ...]:
    """A cross."""
    arms = ((-4.5, -4.5), (4.5, 4.5)), ((-4.5, 4.5), (4.5, -4.5))
    return tuple(Part(_bar(grid, *arm, 1.35)) for arm in arms)


def _off(grid: _Grid) -> tuple[Part, ...]:
    """The sign of a power switch."""
    half = grid.snapped(0.99)
    top = grid.centre, grid.centre - grid.radius + half
    end = grid.at(0, -0.5)
    return (*_idle(grid), Part(Blob((top, end), half + grid.snapped(2.25)), cut=True), Part(Blob((top, end), half)))


_DRAWINGS: Mapping[IconState, Callable[[_Grid], tuple[Part, ...]]] = MappingProxyType(
    {
        IconState.IDLE: _idle,
        IconState.SERVING: _serving,
        IconState.FALLBACK: _fallback,
        IconState.COOLING: _cooling,
        IconState.OFFLINE: _offline,
        IconState.ERROR: _error,
        IconState.OFF: _off,
    }
)
