"""The schedule of rules of one partition: which configs are known and which is in force when.

In force at an instant is the greatest (effective, source, id) that acts by then. A config always acts
later than the record that brought it, so what is in force at a time never changes afterwards.
"""

from collections.abc import Iterable

from msgspec import Struct

from quantum_mlops.codec import digest
from quantum_mlops.config.rules import Rules
from quantum_mlops.events import ConfigApplied

NEVER = 2**63 - 1
ConfigKey = tuple[int, str, str]


class Config(Struct, frozen=True, array_like=True):
    """One `config.applied` as this partition takes it: it acts from `acts` on (nanoseconds UTC)."""

    effective: int
    source: str
    id: str
    acts: int
    hash: str
    rules: Rules

    @property
    def key(self) -> ConfigKey:
        """The order of configs."""
        return (self.effective, self.source, self.id)


DEFAULT = Config(-1, "", "", 0, digest(Rules()), Rules())
"""In force where no config was ever applied."""


class RulesSchedule:
    """All configs of a partition that may still act. `upcoming` is when the next switch is."""

    def __init__(self, configs: Iterable[Config] = (), now: int = 0) -> None:
        self._known = {config.key: config for config in configs}
        self.unsaved: list[Config] = []
        self.current = self.in_force(now)
        self.upcoming = NEVER
        self._plan()

    def in_force(self, time: int) -> Config:
        """Return the config in force at `time`."""
        return max((c for c in self._known.values() if c.acts <= time), key=lambda c: c.key, default=DEFAULT)

    def greatest(self) -> Config | None:
        """Return the greatest known config, pending ones included; None where there is none."""
        return max(self._known.values(), key=lambda c: c.key, default=None)

    def configs(self) -> list[Config]:
        """Return what is known, in order."""
        return [self._known[key] for key in sorted(self._known)]

    def add(self, data: ConfigApplied, key: tuple[str, str], now: int, *, first: bool) -> bool:
        """Take a config that arrived at `now`; `first`: it is the partition's first record.

        Returns whether it came too late to act from its `effective`. A known one is ignored.
        """
        address = (data.effective, *key)
        if address in self._known:
            return False
        late = now >= data.effective and not (first and data.effective == 0)
        config = Config(*address, now + 1 if late else data.effective, data.hash, data.rules)
        self._known[address] = config
        self.unsaved.append(config)
        if config.acts <= now:  # the first record of an empty partition: no series to arm again
            self.current = self.in_force(now)
        self._plan()
        return late

    def pending(self) -> Config:
        """Return the config that the next switch, at `upcoming`, puts in force."""
        return self.in_force(self.upcoming)

    def switch(self) -> Config:
        """Put the config of the next switch in force and return it."""
        self.current = self.pending()
        self._plan()
        return self.current

    def prune(self, time: int) -> list[Config]:
        """Forget and return the configs that a replay from `time` on does not need."""
        if len(self._known) < 2:  # noqa: PLR2004 - one config is always needed
            return []
        oldest = self.in_force(time).key
        gone = [config for key, config in self._known.items() if key < oldest]
        for config in gone:
            del self._known[config.key]
        return gone

    def _plan(self) -> None:
        current = self.current.key
        self.upcoming = min((c.acts for c in self._known.values() if c.key > current), default=NEVER)
