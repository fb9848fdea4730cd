"""What rules would have found on the stored log: a replay under them from the log's beginning.

Nothing is written or sent. States warm up on everything that the log holds; shown is what opened since a time.
"""

from collections.abc import Callable, Sequence
from typing import cast

from msgspec import Struct
from msgspec.structs import replace

from qml_daemon.finding import FindingHistory
from qml_daemon.history import LogReader, fold_findings, read_findings
from qml_processors.runner import load_processors, replay
from qml_processors.runner.rules_log import config_event
from quantum_mlops.clock import DAY
from quantum_mlops.config.rules import Rules
from quantum_mlops.events import ConfigApplied, Event, Tick, type_name
from quantum_mlops.transports.base import Log, Record, Stream

SOURCE = "qml://trial/0/rules"


class RuleTrial(Struct, frozen=True, kw_only=True):
    """One rule: how often it opened, how many of these are still open, how long they lasted, and how it was."""

    rule: str
    opened: int
    open_now: int
    notices: int
    per_day: float
    longest_seconds: float | None
    found_before: int


class Trial(Struct, frozen=True, kw_only=True):
    """A trial's result. `since` and `until` bound what is shown, by the log's clock; `begins` is the log's first."""

    begins: int
    since: int
    until: int
    events: int
    rules: list[RuleTrial]
    findings: list[FindingHistory]


def try_rules(reader: LogReader, rules: Rules, since: int, told: Callable[[int, int], object] = max) -> Trial:
    """Replay the log under `rules`; `told(done, total)` hears of the progress in records (nobody does by default).

    Raises:
        LogError: the log fails.

    """
    log = _UnderRules(reader, rules, told)
    # A replay only reads; the reader has every method that it calls.
    replayed = replay(cast("Log", log), load_processors())
    findings = [one for one in fold_findings(iter(replayed.findings)) if one.opened >= since]
    before = [one for one in read_findings(reader) if one.opened >= since]
    begins, until = log.begins or 0, log.until
    days = max(until - max(since, begins), 1) / DAY
    names = sorted({one.rule for one in (*findings, *before)})
    return Trial(
        begins=begins,
        since=since,
        until=until,
        events=sum(counts.events for counts in replayed.counts),
        rules=[_sum_up(name, findings, before, days) for name in names],
        findings=findings,
    )


class _UnderRules:
    """The stored log with other rules: one config before everything, each stored one a tick."""

    def __init__(self, reader: LogReader, rules: Rules, told: Callable[[int, int], object]) -> None:
        self._reader = reader
        self._told = told
        self._config = config_event(rules, SOURCE, effective=0, time=0)
        self.partitions = reader.partitions
        self._total = sum(reader.end(Stream.EVENTS, n) - reader.start(Stream.EVENTS, n) for n in range(self.partitions))
        self._done = 0
        self.begins: int | None = None
        self.until = 0

    def start(self, stream: Stream, partition: int) -> int:
        return self._reader.start(stream, partition)

    def read(self, stream: Stream, partition: int, offset: int, limit: int) -> Sequence[Record]:
        """Offsets are the stored ones plus one: the config takes the first."""
        start = self._reader.start(stream, partition)
        if offset <= start:
            first = self._reader.read(stream, partition, start, 1)
            time = first[0].ingestedtime if first else 0
            self.begins = time if self.begins is None else min(self.begins, time)
            return [Record(start, replace(self._config, ingestedtime=time), time)] if first else []
        records = self._reader.read(stream, partition, offset - 1, limit)
        self._done += len(records)
        self._told(self._done, self._total)
        if records:
            self.until = max(self.until, records[-1].ingestedtime)
        return [Record(one.offset + 1, _without_rules(one.event), one.ingestedtime) for one in records]  # type: ignore[arg-type] # what the reader gave


def _without_rules(event: object) -> object:
    if isinstance(event, Event) and isinstance(event.data, ConfigApplied):
        return replace(event, type=type_name("tick"), data=Tick())
    return event


def _sum_up(rule: str, findings: list[FindingHistory], before: list[FindingHistory], days: float) -> RuleTrial:
    mine = [one for one in findings if one.rule == rule]
    opened = [one for one in mine if one.status != "notice"]
    lasted = [(one.closed - one.opened) / 1e9 for one in opened if one.closed is not None]
    return RuleTrial(
        rule=rule,
        opened=len(opened),
        open_now=sum(one.status == "firing" for one in opened),
        notices=len(mine) - len(opened),
        per_day=len(mine) / days,
        longest_seconds=max(lasted, default=None),
        found_before=sum(one.rule == rule for one in before),
    )
