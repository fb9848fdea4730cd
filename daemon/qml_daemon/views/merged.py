"""Facts that several emitters tell in any order, some twice: each fact by the latest stamp.

A stamp is (provider's time where it is told, else the emitter's; source; id), so stamps are never equal for two
events and any permutation of the same events leaves the same facts.
"""

from collections.abc import Mapping
from typing import Any

from msgspec import Struct, field

Stamp = tuple[int, str, str]
_MOST_STAMPS = 8


class Merged(Struct, gc=False):
    """`facts` by name; `told[name]` is the place in `stamps` of the event that told it."""

    facts: dict[str, Any] = field(default_factory=dict)
    told: dict[str, int] = field(default_factory=dict)
    stamps: list[Stamp] = field(default_factory=list)

    def tell(self, stamp: Stamp, facts: Mapping[str, Any]) -> None:
        """Take each fact that this stamp tells later than what is known. Idempotent; order does not matter.

        >>> merged = Merged()
        >>> merged.tell((2, "a", "1"), {"backend": "hanoi"})
        >>> merged.tell((1, "a", "0"), {"backend": "osaka", "shots": 5})
        >>> merged.facts
        {'backend': 'hanoi', 'shots': 5}
        """
        told, stamps, place = self.told, self.stamps, -1
        for name, value in facts.items():
            known = told.get(name)
            if known is not None and tuple(stamps[known]) >= stamp:
                continue
            if place < 0:
                place = len(stamps)
                stamps.append(stamp)
            self.facts[name] = value
            told[name] = place
        if len(stamps) > _MOST_STAMPS:
            self._compact()

    def _compact(self) -> None:
        used = sorted(set(self.told.values()))
        moved = {old: new for new, old in enumerate(used)}
        self.stamps = [self.stamps[old] for old in used]
        self.told = {name: moved[old] for name, old in self.told.items()}
