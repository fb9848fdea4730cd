"""Events of the service itself: ticks, rules, emitters' losses, silences."""

from msgspec import Struct, field

from quantum_mlops.config.matcher import Matcher
from quantum_mlops.config.rules import Rules
from quantum_mlops.events.envelope import Name
from quantum_mlops.events.job import Count, UtcTime


class Tick(Struct, frozen=True, kw_only=True, gc=False):
    """Time passed; it only moves a partition's `now`."""


class ConfigApplied(Struct, frozen=True, kw_only=True, gc=False):
    """Rules that act from `effective` on (nanoseconds UTC); `hash` is that of the rules' JSON."""

    effective: int
    hash: Name
    rules: Rules


class EmitterDropped(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """Events that an emitter lost before they had an id, by reason and by type."""

    count: Count
    reasons: dict[str, Count]
    types: dict[str, Count] = field(default_factory=dict)
    first_time: UtcTime
    last_time: UtcTime


class Silence(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """The data of `silence.created` and `silence.expired`."""

    silence_id: Name
    matchers: list[Matcher] = field(default_factory=list)
    starts: UtcTime | None = None
    ends: UtcTime | None = None
    created_by: str = ""
    comment: str = ""
