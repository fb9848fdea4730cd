"""SQLite against memory: whatever is done to both, both show the same, also after a reopening."""

import tempfile
from pathlib import Path

import msgspec
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from quantum_mlops.clock import ManualClock
from quantum_mlops.config.rules import Rules
from quantum_mlops.events import ConfigApplied, Event, Tick, type_name
from quantum_mlops.transports.base import Commit, DeadLetter, Stream
from quantum_mlops.transports.memory import MemoryLog
from quantum_mlops.transports.sqlite import SqliteLog

TICK = Event(id="0", source="s", type=type_name("tick"), time=0, partitionkey="", data=Tick())
CONFIG = msgspec.structs.replace(
    TICK, type=type_name("config.applied"), data=ConfigApplied(effective=0, hash="h", rules=Rules())
)
NAMES = st.sampled_from(["spool/a", "spool/b", "mlflow/findings/0", "mlflow/events/1"])
POSITIONS = st.none() | st.integers(0, 9).map(lambda offset: offset.to_bytes(8, "big"))
CURSORS = st.dictionaries(NAMES, POSITIONS, max_size=3)
EVENTS = st.lists(
    st.builds(
        lambda event, number, key, time: msgspec.structs.replace(
            event, id=str(number), partitionkey=key, ingestedtime=time
        ),
        st.sampled_from([TICK, TICK, TICK, CONFIG]),
        st.integers(0, 10**6),
        st.sampled_from(["iris", "wine", "ibm_hanoi"]),
        st.none() | st.integers(0, 300),
    ),
    max_size=4,
)
LETTERS = st.lists(
    st.builds(DeadLetter, data=st.binary(max_size=4), reason=st.text(max_size=3), origin=st.just("spool"),
              time=st.integers(0, 5), partition=st.integers(0, 1)),
    max_size=2,
)  # fmt: skip
ROWS = st.dictionaries(st.binary(max_size=1), st.none() | st.binary(max_size=3), max_size=4)


class SqliteAsMemory(RuleBasedStateMachine):
    """Does the same to both."""

    @initialize()
    def open(self):
        self.folder = tempfile.TemporaryDirectory()
        self.clock = ManualClock(100)
        self.memory = MemoryLog(2, self.clock)
        self.sqlite = self.make()
        self.replay_start = [0, 0]

    def make(self):
        return SqliteLog(Path(self.folder.name) / "log.sqlite", 2, self.clock)

    @rule(seconds=st.integers(-50, 200))
    def move_the_clock(self, seconds):
        self.clock.now += seconds

    @rule(events=EVENTS, partition=st.none() | st.integers(0, 1), letters=LETTERS, cursors=CURSORS)
    def append(self, events, partition, letters, cursors):
        for log in (self.memory, self.sqlite):
            log.append(events, partition=partition, dead_letters=letters, cursors=cursors)

    @rule(
        partition=st.integers(0, 1),
        findings=EVENTS,
        summaries=EVENTS,
        letters=LETTERS,
        rows=ROWS,
        ahead=st.integers(0, 3),
    )
    def commit(self, partition, findings, summaries, letters, rows, ahead):
        self.replay_start[partition] += ahead
        batch = Commit(
            findings=findings, summaries=summaries, dead_letters=letters, rows=rows,
            watermark=repr(rows).encode(), replay_start=self.replay_start[partition],
        )  # fmt: skip
        for log in (self.memory, self.sqlite):
            log.commit(partition, batch)

    @rule(cursors=CURSORS)
    def move_cursors(self, cursors):
        for log in (self.memory, self.sqlite):
            log.move_cursors(cursors)

    @rule(age=st.integers(-10, 100), readers=st.sets(st.sampled_from(["mlflow", "spool"])))
    def retain(self, age, readers):
        found = [
            log.retain(older_than=self.clock() - age, max_bytes=1 << 50, readers=readers)
            for log in (self.memory, self.sqlite)
        ]
        assert found[0] == found[1]

    @rule()
    def reopen(self):
        self.sqlite.close()
        self.sqlite = self.make()

    @rule(
        stream=st.sampled_from(Stream), partition=st.integers(0, 1), offset=st.integers(0, 20), limit=st.integers(0, 5)
    )
    def read(self, stream, partition, offset, limit):
        assert self.sqlite.read(stream, partition, offset, limit) == self.memory.read(stream, partition, offset, limit)

    @invariant()
    def both_show_the_same(self):
        for partition in (0, 1):
            for stream in Stream:
                assert self.sqlite.start(stream, partition) == self.memory.start(stream, partition)
                assert self.sqlite.end(stream, partition) == self.memory.end(stream, partition)
                records = self.sqlite.read(stream, partition, 0, 1000)
                assert records == self.memory.read(stream, partition, 0, 1000)
                times = [record.ingestedtime for record in records]
                assert times == sorted(times)
            assert self.sqlite.checkpoint(partition) == self.memory.checkpoint(partition)
        for prefix in ("", "spool/", "mlflow/findings/0", "x"):
            assert self.sqlite.cursors(prefix) == self.memory.cursors(prefix)

    def teardown(self):
        if hasattr(self, "folder"):
            self.sqlite.close()
            self.folder.cleanup()


SqliteAsMemory.TestCase.settings = settings(max_examples=100, stateful_step_count=20, deadline=None, derandomize=True)
TestSqliteAsMemory = SqliteAsMemory.TestCase
