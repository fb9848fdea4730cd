"""One partition: its states, its clock, and the one order in which everything happens.

For each record: drop duplicates; switch rules and fire due timers, each at its own time; then each
processor, each key. Nothing here reads a clock, draws random numbers or touches the log.
"""

from collections import deque
from collections.abc import Iterable, Sequence

from msgspec.structs import replace

from qml_processors.runner import failure, step
from qml_processors.runner.counts import Counts
from qml_processors.runner.duplicates import COUNTER_DIGITS, CountedSource, ForeignSource, Source, is_counted
from qml_processors.runner.loss import LOSS
from qml_processors.runner.offsets import OffsetRanges
from qml_processors.runner.outputs import Outputs
from qml_processors.runner.position import EVENT, SWITCH, TIMER, Position, next_offset
from qml_processors.runner.routes import Routes
from qml_processors.runner.rules_schedule import RulesSchedule
from qml_processors.runner.series import Series, Slot
from qml_processors.runner.timers import Timers
from quantum_mlops.codec import encode
from quantum_mlops.events import ConfigApplied, Event, FindingChanged, SummaryMade, Tick, UnknownData
from quantum_mlops.transports.base import DeadLetter, Misplaced, Record, Undecodable

CLOCK = "clock_jump"
"""The name of the runner's own processor, the only one that sees ticks."""
OWN = frozenset({CLOCK, LOSS})
"""The runner's own processors: theirs is the partition, not a project."""

_NOT_SHOWN = frozenset({ConfigApplied, Tick, UnknownData, FindingChanged, SummaryMade})


class Partition:
    """Everything of one partition. `position` is the last step done, None before the first."""

    def __init__(self, number: int, slots: Sequence[Slot]) -> None:
        self.number = number
        self.slots = {slot.name: slot for slot in slots}
        self.routes = Routes([slot for slot in slots if slot.name not in OWN])
        self.clock = Routes([slot for slot in slots if slot.name == CLOCK])
        self.schedule = RulesSchedule()
        self.timers = Timers(self.slots)
        self.outputs = Outputs()
        self.counts = Counts()
        self.sources: dict[tuple[str, str], CountedSource] = {}
        self.foreign: dict[tuple[str, str], ForeignSource] = {}
        self.position: Position | None = None
        self.now = 0
        self.previous = 0  # `now` before the record that is being processed
        self.inside = -1  # offset of a record that passed the duplicate check and is not done
        self.dropped = OffsetRanges()
        self.killed: list[Position] = []
        self.kill_next = False
        self.sleepers: list[Series] = []  # recovery: rows ahead of the replay, the next to wake last
        self.until: Position | None = None  # recovery: the watermark; None: live
        self.dirty: deque[Series | Source] = deque()
        self.batch_offset = 0

    def next_offset(self, start: int) -> int:
        """Return the offset to read from; `start` where nothing was processed yet."""
        return start if self.position is None else max(start, next_offset(self.position))

    def process(self, records: Iterable[Record], budget: int) -> int:
        """Take records in order; return the steps done, at most `budget`. It may end inside a firing."""
        left = budget
        for record in records:
            if left <= 0:
                break
            event = record.event
            offset = record.offset
            if offset != self.inside:
                if not self._admit(record):
                    self.position = (offset, self.now, EVENT, ())
                    left -= 1
                    continue
                self.inside = offset
            now = self.now
            heap = self.timers.heap
            if (heap and heap[0][0] <= now) or self.schedule.upcoming <= now or self.sleepers:
                left = self._fire(offset, left)
                if left <= 0:
                    break
            if self.until is not None and (offset, now, EVENT, ()) > self.until:
                break
            self._take(event, offset)  # type: ignore[arg-type] # admitted records hold events
            self.position = (offset, now, EVENT, ())
            self.inside = -1
            left -= 1
        if self.until is None and left < budget:
            self.kill_next = False  # a killer is the very next step or none
        return budget - left

    def advance(self, time: int) -> None:
        """Fire all that is due up to `time`, as a record ingested then would."""
        self.previous, self.now = self.now, max(self.now, time)
        self._fire(self._last_offset() + 1, 2**62)

    def _admit(self, record: Record) -> bool:
        """Drop what is no event, lies in the wrong partition or was seen before; else move `now`."""
        event = record.event
        counts = self.counts
        counts.records += 1
        if self.until is not None and record.offset in self.dropped:
            return False
        if event.__class__ is not Event:
            self.dropped.add(record.offset, self._last_offset())
            if isinstance(event, Misplaced):
                counts.misplaced += 1
                self.outputs.forward(event.event)
                return False
            counts.undecodable += 1
            if isinstance(event, Undecodable):
                self.outputs.bury(
                    DeadLetter(
                        data=event.data,
                        reason=event.reason,
                        origin="log",
                        time=record.ingestedtime,
                        partition=self.number,
                    )
                )
            return False
        now = record.ingestedtime
        now = max(now, self.now)
        kind = event.data.__class__
        if kind is not Tick and kind is not ConfigApplied and not self._is_new(event, now, record.offset):
            counts.duplicates += 1
            self.dropped.add(record.offset, self._last_offset())
            return False
        self.previous = self.now
        self.now = now
        return True

    def _last_offset(self) -> int:
        return -1 if self.position is None else self.position[0]

    def _is_new(self, event: Event, now: int, offset: int) -> bool:
        key = (event.partitionkey, event.source)
        event_id = event.id
        source: Source | None = self.sources.get(key)
        if source is None or len(event_id) != COUNTER_DIGITS:
            source = self._source(event, key)
        if self.until is not None and offset <= source.at:
            return True
        try:
            new = source.add(event_id, now)
        except ValueError:  # no counter, from a source that has them: remembered as a foreign id
            source = self.foreign.setdefault(key, ForeignSource(key))
            new = source.add(event.id, now)
        if new and source.since is None:
            source.since = self.batch_offset
            self.dirty.append(source)
        return new

    def _source(self, event: Event, key: tuple[str, str]) -> Source:
        if is_counted(event.source, event.id):
            return self.sources.setdefault(key, CountedSource(key))
        return self.foreign.setdefault(key, ForeignSource(key))

    def _fire(self, offset: int, left: int) -> int:
        """Do the switches and timers due up to `now`; return what is left of the budget, 0 inside."""
        now = self.now
        while True:
            series = self.timers.peek()
            due = None if series is None else series.due
            if self.schedule.upcoming <= now and (due is None or self.schedule.upcoming <= due):
                at: Position = (offset, self.schedule.upcoming, SWITCH, self.schedule.pending().key)
                series = None
            elif series is not None and due is not None and due <= now:
                at = (offset, due, TIMER, series.address)
            else:
                at = (offset, now, EVENT, ())
            if self.sleepers and self.sleepers[-1].at < at:  # type: ignore[operator] # a sleeper has one
                step.wake(self, self.sleepers.pop())
                continue
            if at[2] == EVENT:
                return left
            if left <= 0 or (self.until is not None and at > self.until):
                return 0
            if series is None:
                step.switch(self, self.schedule.switch())
                self.counts.switches += 1
            else:
                self.timers.pop(series)
                step.fire(self, series, at)
                self.counts.timers += 1
            self.position = at
            left -= 1

    def _take(self, event: Event, offset: int) -> None:
        """Show an admitted event to the processors, or take the rules that it brings."""
        if event.ingestedtime != self.now:
            event = replace(event, ingestedtime=self.now)
        kind = event.data.__class__
        if kind in _NOT_SHOWN:
            if kind is Tick:
                step.apply(self, self.clock.find(self, event), event)
            elif isinstance(event.data, ConfigApplied):
                if self.schedule.add(event.data, event.key, self.now, first=self.previous == 0):
                    self.counts.late_configs += 1
            else:
                self.counts.unknown += 1
            return
        self.counts.events += 1
        if (self.kill_next or self.killed) and self.condemns((offset, self.now, EVENT, ())):
            self._bury_killer(event)
            return
        step.apply(self, self.routes.find(self, event), event)

    def condemns(self, position: Position) -> bool:
        """Whether this step ended the process again and again and is not to be tried once more."""
        if self.kill_next and self.until is None:
            self.kill_next = False
            self.killed.append(position)
            self.counts.killed += 1
            return True
        return bool(self.killed) and position in self.killed

    def _bury_killer(self, event: Event) -> None:
        reason = str(failure.KilledError())
        self.outputs.bury(
            DeadLetter(
                data=encode(event), reason=reason, origin="runner", time=self.now, partition=self.number, key=event.key
            )
        )
