"""Workers as processes, as a supervisor keeps them: who ends without being told to is started again."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition
from msgspec import Struct

from qml_daemon.worker.process import CRASHED, DONE
from qml_processors.runner import watermark
from qml_processors.runner.position import next_offset
from quantum_mlops.errors import LogError
from quantum_mlops.events import Event
from quantum_mlops.transports.base import Stream
from quantum_mlops.transports.kafka.log import KafkaLog
from quantum_mlops.transports.kafka.loop import KafkaLoop
from quantum_mlops.transports.kafka.records import Entry, encode_event
from quantum_mlops.transports.kafka.settings import KafkaSettings
from quantum_mlops.transports.kafka.topics import Topics, create
from quantum_mlops.transports.kafka.transaction import Parcel, Producer
from quantum_mlops.transports.partitioning import partition_of
from tests.kafka.story import Item, is_for_all
from tests.kafka.worker_process import Options

ROOT = Path(__file__).parents[2]
PARTITIONS = 6
_PIECE = 500


class Ended(Struct, frozen=True):
    """How a worker ended, and its last line."""

    code: int
    line: str


class Hand:
    """One worker's process."""

    def __init__(self, options: Options, log: Path) -> None:
        self.options = options
        self.log = log
        path = os.pathsep.join([str(ROOT), *(str(ROOT / name) for name in ("daemon", "processors", "producers"))])
        command = [sys.executable, "-m", "tests.kafka.worker_process", msgspec.json.encode(options).decode()]
        with log.open("wb") as file:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=file, stderr=file, cwd=ROOT, env=os.environ | {"PYTHONPATH": path}
            )  # fmt: skip

    def is_ready(self) -> bool:
        """Whether it has said that its partitions are open."""
        return " READY " in self.log.read_text(errors="replace")

    def is_stopped(self) -> bool:
        """Whether it hangs by SIGSTOP."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return fields[0] == "T"

    def last_line(self) -> str:
        """What it said last."""
        return (self.log.read_text(errors="replace").strip().splitlines() or [""])[-1]

    def signal(self, number: int) -> None:
        """Send it a signal."""
        self.process.send_signal(number)

    def wait(self, seconds: float = 30) -> Ended:
        """Return how it ended."""
        return Ended(self.process.wait(seconds), self.last_line())

    def kill(self) -> None:
        """End it whatever it does."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(10)


class Crew:
    """Several workers of one group on fresh topics. Use it in a `with` statement."""

    def __init__(self, folder: Path, bootstrap: str, prefix: str, **options: Any) -> None:
        self.folder = folder
        self.settings = KafkaSettings(bootstrap_servers=(bootstrap,), topic_prefix=prefix, group=f"{prefix}group")
        self.options = Options(bootstrap=bootstrap, prefix=prefix, **options)
        self.hands: list[Hand] = []
        self._all: list[Hand] = []
        self.ended: list[Ended] = []
        self._number = 0
        self._log: KafkaLog | None = None
        self._loop = KafkaLoop(self.settings.servers)
        self._producer: Producer | None = None
        asyncio.run(create(self.settings, PARTITIONS))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for hand in self._all:
            hand.kill()
        self._let_go()
        if self._log is not None:
            self._log.close()
        self._loop.close()

    @property
    def log(self) -> KafkaLog:
        """The log, for looking at."""
        if self._log is None:
            self._log = KafkaLog(self.settings)
        return self._log

    def start(self, number: int = 1, **options: Any) -> list[Hand]:
        """Start workers; returns without waiting for them."""
        new = []
        for _ in range(number):
            chosen = msgspec.structs.replace(self.options, **options)
            new.append(Hand(chosen, self.folder / f"worker-{self._number}.log"))
            self._number += 1
        self.hands += new
        self._all += new
        return new

    def tend(self, **options: Any) -> None:
        """Start a new worker for each that has ended by itself."""
        for hand in list(self.hands):
            if hand.process.poll() is not None:
                self.hands.remove(hand)
                self.ended.append(hand.wait())
                self.start(**options)

    def drop(self, hand: Hand) -> None:
        """Tend a worker no longer."""
        self.hands.remove(hand)

    def send(self, items: Iterable[Item], seconds: float = 90) -> None:
        """Append items as emitters do, in order within each partition; what is refused is sent again."""
        waiting: dict[int, list[Entry]] = {}
        for count, item in enumerate(items, 1):
            for partition, entry in place(item, count):
                waiting.setdefault(partition, []).append(entry)
            if count % _PIECE == 0:
                self._send(waiting, seconds)
                waiting = {}
        self._send(waiting, seconds)

    def send_entries(self, entries: Iterable[tuple[int, Entry]]) -> None:
        """Append records as they are, each in the partition that is named."""
        waiting: dict[int, list[Entry]] = {}
        for partition, entry in entries:
            waiting.setdefault(partition, []).append(entry)
        self._send(waiting, 30)

    def _send(self, waiting: Mapping[int, Sequence[Entry]], seconds: float) -> None:
        events = Topics(self.settings.topic_prefix).events
        parcels = [Parcel((events, partition), entries) for partition, entries in waiting.items()]
        until = time.monotonic() + seconds
        while True:
            try:
                if self._producer is None:
                    self._producer = Producer(self.settings)
                    self._loop.run(self._producer.open(), "connecting", 10)
                self._loop.run(self._producer.send(parcels), "sending", 20)
            except LogError:
                if time.monotonic() > until:
                    raise
                self._let_go()
                time.sleep(0.2)
                continue
            return

    def _let_go(self) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            self._loop.run(producer.close(), "closing")

    def reached(self, partition: int) -> int:
        """Return the offset up to which a partition was processed, as committed."""
        stored = self.log.peek(partition).watermark
        return 0 if stored is None else next_offset(watermark.decode(stored).position)

    def is_settled(self) -> bool:
        """Whether no partition has a record after what was processed; asked twice, for workers send records on."""
        return not any(self.log.read(Stream.EVENTS, number, self.reached(number), 1) for number in range(PARTITIONS))

    def wait_until(self, condition: Any, what: str, seconds: float = 120, *, tend: bool = True) -> None:
        """Wait, and start again who ends meanwhile."""
        until = time.monotonic() + seconds
        while True:
            if tend:
                self.tend()
            try:
                if condition():
                    return
            except LogError:  # the broker is away; the workers are judged, not this look at them
                pass
            told = "; ".join(f"{one.code} {one.line}" for one in self.ended[-3:])
            assert time.monotonic() < until, f"not within {seconds} s: {what}; ended: {told}"
            time.sleep(0.2)

    def finish(self, seconds: float = 120) -> None:
        """Wait until all that was sent is processed and committed, then let the workers end in order."""
        self.wait_until(lambda: self.is_settled() and self.is_settled(), "all is processed", seconds)
        self.stop()

    def stop(self) -> None:
        """End every worker in order. One may be in the middle of its start, or just struck by the test itself."""
        for hand in self.hands:
            hand.signal(signal.SIGTERM)
        for hand in self.hands:
            found = hand.wait()
            if found.code == -signal.SIGKILL:
                self.ended.append(found)
            else:
                assert found.code in {DONE, CRASHED} or not hand.is_ready(), found
        self.hands = []


def count_uncommitted(settings: KafkaSettings, topic: str) -> int:
    """Return how many records a reader of uncommitted ones sees in a topic: also those of transactions that failed."""
    return asyncio.run(_count_uncommitted(settings, topic))


async def _count_uncommitted(settings: KafkaSettings, topic: str) -> int:
    places = [TopicPartition(topic, partition) for partition in range(PARTITIONS)]
    consumer = AIOKafkaConsumer(bootstrap_servers=settings.servers, isolation_level="read_uncommitted")
    await consumer.start()
    try:
        consumer.assign(places)
        await consumer.seek_to_beginning(*places)
        ends = await consumer.end_offsets(places)
        count = 0
        while any([await consumer.position(place) < ends[place] for place in places]):
            found = await consumer.getmany(timeout_ms=200)
            count += sum(len(records) for records in found.values())
        return count
    finally:
        await consumer.stop()


def place(item: Item, number: int) -> list[tuple[int, Entry]]:
    """Return the partitions and the records of an item; garbage lies anywhere."""
    if isinstance(item, bytes):
        return [(number % PARTITIONS, Entry(b"k", item, []))]
    assert isinstance(item, Event)
    entry = encode_event(item)
    if is_for_all(item):
        return [(partition, entry) for partition in range(PARTITIONS)]
    return [(partition_of(item.partitionkey, PARTITIONS), entry)]
