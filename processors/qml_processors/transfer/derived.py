"""Findings, summaries and dead letters of a source, and those that came about on the way to the common instant."""

from msgspec.structs import replace

from qml_processors.transfer.cursors import ReaderPositions
from qml_processors.transfer.job import EVERYWHERE, Job
from qml_processors.transfer.merging import merge
from qml_processors.transfer.writing import Pieces
from quantum_mlops.codec import decode
from quantum_mlops.errors import DecodeError
from quantum_mlops.events import Event
from quantum_mlops.transports.base import Commit, DeadLetter, Stream

_TELL_EVERY = 5000


class DerivedCarrier:
    """Carries one of the two streams of derived events. `positions` learns what its readers had not read."""

    def __init__(self, job: Job, stream: Stream, positions: ReaderPositions) -> None:
        self._job = job
        self._stream = stream
        self._positions = positions
        self._pieces = Pieces(job.written(stream), self._write)
        self._everywhere: set[tuple[str, str]] = set()

    def carry(self) -> int:
        """Write all that is not there yet; return how many there are."""
        job, stream = self._job, self._stream
        total = job.plan.records(stream)
        for done, (now, partition, record) in enumerate(merge(job.source, stream, job.plan)):
            if done % _TELL_EVERY == 0:
                job.tell(stream.value, done, total)
            if isinstance(record.event, Event):
                number = self._add(replace(record.event, ingestedtime=now))
                if number is not None:
                    count = self._pieces.counts[number]
                    self._positions.see(stream, partition, record.offset, number, count)
        for event in job.gathered.findings if stream is Stream.FINDINGS else job.gathered.summaries:
            number = self._add(event)
            if number is not None:
                self._positions.see_fresh(stream, number, self._pieces.counts[number])
        self._pieces.flush()
        job.tell(stream.value, total, total)
        return sum(self._pieces.counts)

    def _add(self, event: Event) -> int | None:
        """Add one; what every partition of the source said is said once (None: again)."""
        number = 0
        if event.partitionkey != EVERYWHERE:
            number = self._job.target.partition_of(event.partitionkey)
        elif event.key in self._everywhere:
            return None
        else:
            self._everywhere.add(event.key)
        self._pieces.add(number, event)
        return number

    def _write(self, partition: int, events: list[Event], count: int) -> None:  # noqa: ARG002 - counted by reading
        findings = self._stream is Stream.FINDINGS
        derived = Commit(
            findings=events if findings else (),
            summaries=() if findings else events,
            watermark=self._job.mark(partition),
            replay_start=self._job.ends[partition],
        )
        self._job.target.commit(partition, derived)


class LetterCarrier:
    """Carries the dead letters."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._pieces = Pieces(job.written(Stream.DEAD_LETTERS), self._write)

    def carry(self) -> int:
        """Write all that is not there yet; return how many there are."""
        job = self._job
        for _, partition, record in merge(job.source, Stream.DEAD_LETTERS, job.plan):
            letter = record.event
            if isinstance(letter, DeadLetter):
                whole = replace(letter, time=letter.time or record.ingestedtime)
                self._pieces.add(self._home(letter, partition), whole)
        for letter in job.gathered.dead_letters:
            self._pieces.add(self._home(letter, letter.partition), letter)
        self._pieces.flush()
        return sum(self._pieces.counts)

    def _home(self, letter: DeadLetter, partition: int) -> int:
        target = self._job.target
        try:
            key = decode(letter.data).partitionkey
        except DecodeError:
            return partition % target.partitions
        return partition % target.partitions if key == EVERYWHERE else target.partition_of(key)

    def _write(self, partition: int, letters: list[DeadLetter], count: int) -> None:  # noqa: ARG002 - counted by reading
        mark, start = self._job.mark(partition), self._job.ends[partition]
        placed = [replace(letter, partition=partition) for letter in letters]
        self._job.target.commit(partition, Commit(dead_letters=placed, watermark=mark, replay_start=start))
