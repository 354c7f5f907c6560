"""The icon's colours, for panels that are dark, light, or unknown.

Colour never carries a state alone (:mod:`ccproxy_tray.tray.shape` does), so three of them may be greys.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from ccproxy_tray.tray.view import IconState

Colour = tuple[int, int, int]
"""sRGB, 0 to 255."""

COLOURS: Mapping[IconState, Colour] = MappingProxyType(
    {
        IconState.IDLE: (94, 129, 160),
        IconState.SERVING: (26, 153, 76),
        IconState.FALLBACK: (47, 125, 225),
        IconState.COOLING: (202, 118, 0),
        IconState.OFFLINE: (122, 122, 122),
        IconState.ERROR: (224, 56, 62),
        IconState.OFF: (140, 130, 114),
    }
)
"""For a panel of unknown colour: at least 3:1 against both black and white (WCAG 2.2, 1.4.11)."""
ON_DARK: Mapping[IconState, Colour] = MappingProxyType(
    {
        IconState.IDLE: (154, 184, 212),
        IconState.SERVING: (61, 214, 124),
        IconState.FALLBACK: (96, 165, 250),
        IconState.COOLING: (251, 186, 36),
        IconState.OFFLINE: (168, 168, 168),
        IconState.ERROR: (248, 92, 92),
        IconState.OFF: (192, 182, 166),
    }
)
"""For a dark panel."""
ON_LIGHT: Mapping[IconState, Colour] = MappingProxyType(
    {
        IconState.IDLE: (66, 97, 128),
        IconState.SERVING: (18, 122, 58),
        IconState.FALLBACK: (24, 92, 200),
        IconState.COOLING: (182, 96, 0),
        IconState.OFFLINE: (92, 92, 92),
        IconState.ERROR: (200, 30, 36),
        IconState.OFF: (108, 98, 82),
    }
)
"""For a light panel."""


def colours(*, dark: bool | None) -> Mapping[IconState, Colour]:
    """The states' colours for a panel that is dark, light, or (None) unknown."""
    if dark is None:
        return COLOURS
    return ON_DARK if dark else ON_LIGHT


def simulated(*, dark: bool | None) -> Colour:
    """The colour of the badge of a simulated outage: the violet that no state has."""
    if dark is None:
        return (165, 84, 222)
    return (204, 140, 250) if dark else (126, 44, 186)


def outline(colour: Colour) -> Colour:
    """A dark shade of a colour, to hold it together on a panel that is as bright as itself."""
    red, green, blue = colour
    return red * 2 // 5, green * 2 // 5, blue * 2 // 5
