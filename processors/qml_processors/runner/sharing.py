"""Equal strings and whole numbers of decoded states become one object each, as they are where events made the states.

All series of a run name it, its project and its last event: decoded one by one, each row would have its own.
"""

from typing import Any

from msgspec import Struct


class Sharing:
    """Remembers what was seen, for the time of one recovery. Never floats: 0.0 equals -0.0, and is not the same."""

    def __init__(self) -> None:
        self._texts: dict[str, str] = {}
        self._numbers: dict[int, int] = {}
        self._places: dict[tuple[Any, ...], tuple[Any, ...]] = {}

    def text(self, value: str) -> str:
        """Return the first equal string."""
        return self._texts.setdefault(value, value)

    def number(self, value: int) -> int:
        """Return the first equal number."""
        return self._numbers.setdefault(value, value)

    def place(self, value: tuple[Any, ...]) -> tuple[Any, ...]:
        """Return the first equal position, which holds no floats either."""
        return self._places.setdefault(value, value)

    def state(self, state: object) -> None:
        """Share what the fields of a state hold, and those of the Structs in them; frozen ones stay as they are."""
        if not isinstance(state, Struct) or state.__struct_config__.frozen:
            return
        for name in state.__struct_fields__:
            value = getattr(state, name)
            kind = value.__class__
            if kind is str:
                setattr(state, name, self._texts.setdefault(value, value))
            elif kind is int:
                setattr(state, name, self._numbers.setdefault(value, value))
            elif isinstance(value, Struct):
                self.state(value)
