import os
from pathlib import Path

import msgspec
import pytest

from qml_daemon.intake.adoption import this_host
from qml_daemon.intake.intake import Intake
from quantum_mlops.clock import SECOND, ManualClock
from quantum_mlops.events import Context, type_name
from quantum_mlops.spool.segment import SegmentHeader, SegmentName, SpoolClass, SpoolRecord, this_process
from quantum_mlops.spool.writer import Segment, SpoolWriter
from quantum_mlops.transports.base import Stream
from quantum_mlops.transports.sqlite import SqliteLog

GONE = 2**22 + 1  # over the kernel's greatest pid
START = 1_700_000_000 * SECOND
EMPTY = msgspec.Raw(msgspec.msgpack.encode({}))
METRIC = type_name("metric.logged")


def pack(numbers, stream=0, event_type=METRIC, data=EMPTY, time=START):
    return [
        msgspec.msgpack.encode(SpoolRecord(stream, number, event_type, time, "iris", "iris", Context(), data))
        for number in numbers
    ]


class Spool:
    """A folder, writers into it, and the intake that reads it onto a log."""

    pack = staticmethod(pack)

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "spool"
        self.folder.mkdir()
        self.store = folder / "log.sqlite"
        self.clock = ManualClock(START)
        self.facts = this_host()
        self.log = SqliteLog(self.store, clock=self.clock)
        self.intake = self.make_intake()

    def make_intake(self, **settings) -> Intake:
        return Intake(self.log, self.folder, self.clock, self.facts, **settings)

    def restart(self) -> None:
        self.intake.close()
        self.log.close()
        self.log = SqliteLog(self.store, clock=self.clock)
        self.intake = self.make_intake()

    def writer(self, nonce="00000000000a", *, gone=False, **changes) -> SpoolWriter:
        writer = this_process(nonce, "test")
        if gone:
            changes["pid"] = GONE
        return SpoolWriter(self.folder, msgspec.structs.replace(writer, **changes))

    def segment(self, number=0, nonce="00000000000a", *, of=SpoolClass.LIFECYCLE, gone=False, **changes) -> Segment:
        """One segment by hand, in the order that the test wants."""
        process = this_process(nonce, "test")
        fields = msgspec.structs.asdict(process) | ({"pid": GONE} if gone else {}) | changes
        header = SegmentHeader(**fields, spool_class=of, number=number, created_time=START)
        return Segment(self.folder / str(SegmentName(nonce, of, number)), header)

    def write(self, writer, numbers, of=SpoolClass.LIFECYCLE, stream=0) -> None:
        writer.write(of, pack(numbers, stream), START)
        self.settle()

    def settle(self) -> None:
        """Give every file the time of the test's clock, as if it were written now."""
        for path in self.files():
            os.utime(path, ns=(self.clock(), self.clock()), follow_symlinks=False)

    def drain(self, limit=1000) -> int:
        total = 0
        while count := self.intake.poll(limit):
            total += count
        return total

    def records(self):
        return self.log.read(Stream.EVENTS, 0, 0, 1_000_000)

    def numbers(self, stream=None):
        found = [record.event for record in self.records()]
        return [int(event.id, 16) for event in found if stream is None or event.source.endswith(f"/{stream}")]

    def letters(self):
        return [record.event for record in self.log.read(Stream.DEAD_LETTERS, 0, 0, 1_000_000)]

    def files(self):
        return sorted(path for path in self.folder.iterdir() if path.suffix == ".qseg" and not path.is_symlink())


@pytest.fixture
def spool(tmp_path):
    spool = Spool(tmp_path)
    yield spool
    spool.intake.close()
    spool.log.close()
