"""What was worked out about the parts of a conversation, kept while the parts come again.

A conversation that goes on has its earlier messages and its tools as the very same objects again
(``translate/conversation``). What a pure function made of one of them is the same as before, then.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
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
        self._lists: dict[Hashable, Mapping[Hashable, tuple[object, Any]]] = {}
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
        return self._all(name, [id(item) for item in items], items, make)

    def along(
        self, name: Hashable, items: Sequence[_Item], make: Callable[[_Item | None, _Item], _Result]
    ) -> list[_Result]:
        """What ``make`` makes of each item and the one before it."""
        pairs = list(zip([None, *items], items, strict=False))
        return self._all(name, [(id(before), id(item)) for before, item in pairs], pairs, lambda pair: make(*pair))

    def _all(
        self, name: Hashable, keys: Sequence[Hashable], items: Sequence[_Item], make: Callable[[_Item], _Result]
    ) -> list[_Result]:
        # An id belongs to one object as long as that lives; and what is kept, lives.
        known = self._lists.get(name, {})
        found = [known.get(key) or (item, make(item)) for key, item in zip(keys, items, strict=True)]
        if self._keeps:
            self._lists[name] = dict(zip(keys, found, strict=True))
        return [result for _, result in found]


NO_MEMO: Final = Memo(keeps=False)
"""For what comes once."""
