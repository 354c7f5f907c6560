"""What was worked out about the parts of a conversation, kept while the parts come again.

A conversation that goes on has its earlier messages and its tools as the very same objects again
(``translate/conversation``). What a pure function made of one of them is the same as before, then.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from operator import is_
from typing import Any, Final, TypeVar

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


class Memo:
    """Results by the name of a function and the identity of what it was given. Both are shared: nobody changes them.

    Of each function, those of the latest list are kept. Threads may use it at the same time: at worst, something is
    worked out twice.
    """

    __slots__ = ("_keeps", "_lists", "_values")

    def __init__(self, *, keeps: bool = True) -> None:
        self._keeps = keeps
        self._lists: dict[Hashable, tuple[Sequence[Any], list[Any]]] = {}
        self._values: dict[Hashable, tuple[object, Any]] = {}

    def once(self, name: Hashable, value: object, make: Callable[[], _Result]) -> _Result:
        """What ``make`` makes of the value, or made of it the last time."""
        kept = self._values.get(name)
        if kept is None or kept[0] is not value:
            kept = (value, make())
            if self._keeps:
                self._values[name] = kept
        result: _Result = kept[1]
        return result

    def each(self, name: Hashable, items: Sequence[_Item], make: Callable[[_Item], _Result]) -> list[_Result]:
        """What ``make`` makes of each item."""
        return self.along(name, items, lambda _, item: make(item), alone=True)

    def along(
        self,
        name: Hashable,
        items: Sequence[_Item],
        make: Callable[[_Item | None, _Item], _Result],
        *,
        alone: bool = False,
    ) -> list[_Result]:
        """What ``make`` makes of the item before and each item; ``alone``: whatever item is before."""
        kept, results = self._lists.get(name, _NOTHING)
        # Most items are at the place where they were.
        same = list(map(is_, kept, items))
        known = same.index(False) if False in same else len(same)
        found: list[_Result] = results[:known]
        for place in range(known, len(items)):
            if place < len(same) and same[place] and (alone or same[place - 1]):
                found.append(results[place])
            else:
                found.append(make(items[place - 1] if place else None, items[place]))
        if self._keeps:
            self._lists[name] = (items, found)
        return found


_NOTHING: Final[tuple[Sequence[Any], list[Any]]] = ((), [])
NO_MEMO: Final = Memo(keeps=False)
"""For what comes once."""
