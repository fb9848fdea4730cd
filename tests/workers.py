"""Workers on a real broker, for tests: topics, events, processes, and what a reader of committed records sees."""

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

from msgspec.structs import replace

from qml_processors.runner import config_event, load_processors, replay, watermark
from qml_processors.runner.position import next_offset
from quantum_mlops.config.rules import Rules
from quantum_mlops.transports.base import Stream
from quantum_mlops.transports.kafka.log import KafkaLog
from quantum_mlops.transports.kafka.loop import KafkaLoop
from quantum_mlops.transports.kafka.records import encode_event
from quantum_mlops.transports.kafka.settings import KafkaSettings
from quantum_mlops.transports.kafka.topics import Topics, create
from quantum_mlops.transports.kafka.transaction import Parcel, Producer
from quantum_mlops.transports.partitioning import partition_of
from tests.waiting import wait_for

ROOT = Path(__file__).parent.parent
MAIN = Path(__file__).parent / "worker_process.py"
SESSION_SECONDS = 6.0  # the shortest that a broker takes by default


class WorkerHandle:
    """One worker process. Its stderr is a file."""

    def __init__(self, name, config, folder, options):
        self.name = name
        self._stderr = folder / f"{name}.{time.monotonic_ns()}.stderr"
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
        with self._stderr.open("wb") as stream:
            self.process = subprocess.Popen(
                [sys.executable, str(MAIN), str(config), json.dumps(options)],
                stdin=subprocess.DEVNULL, stdout=stream, stderr=stream, env=environment,
            )  # fmt: skip

    def said(self):
        return self._stderr.read_text()

    def ready(self, seconds=40):
        """Wait for READY; return the line."""
        wait_for(lambda: " READY " in self.said() or self.process.poll() is not None, "READY", seconds)
        assert " READY " in self.said(), f"{self.name} ended with {self.process.returncode}: {self.said()}"
        return next(line for line in self.said().splitlines() if " READY " in line)

    def metrics(self):
        """Return the figures by name and labels, as they stand in /metrics."""
        url = re.search(r"http=(http://\S+)", self.ready()).group(1)
        with urllib.request.urlopen(f"{url}/metrics", timeout=5) as answer:  # noqa: S310 - our own
            lines = answer.read().decode().splitlines()
        return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines if line[0] != "#")}

    def total(self, name):
        """Return a metric, summed over its labels; 0 where it has no figure."""
        return sum(value for key, value in self.metrics().items() if key.partition("{")[0] == name)

    def owned(self):
        """Return the partitions that this worker processes now."""
        found = (re.fullmatch(r'qml_worker_owner\{partition="(\d+)"\}', key) for key in self.metrics())
        return {int(match.group(1)) for match in found if match}

    def signal(self, number):
        self.process.send_signal(number)

    def kill(self):
        self.process.kill()
        self.process.wait(10)

    def wait(self, seconds=30):
        """Return the exit code."""
        return self.process.wait(seconds)

    def stop(self, seconds=15):
        """End it by SIGTERM and return the exit code."""
        self.signal(signal.SIGTERM)
        return self.wait(seconds)

    def close(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.kill()
            self.process.wait(10)


class Fleet:
    """Topics of a prefix, and the workers of one group on them."""

    def __init__(self, kafka, prefix, folder, partitions=3, rules=None, engine="aiokafka"):
        self.partitions = partitions
        self.folder = Path(folder)
        self.settings = KafkaSettings(bootstrap_servers=(kafka,), topic_prefix=prefix, group=f"{prefix}group")
        self.topics = Topics(prefix)
        self.config = self.folder / "quantum-mlops.toml"
        self.config.write_text(
            f'[log]\nkind = "kafka"\n[kafka]\nbootstrap_servers = ["{kafka}"]\ntopic_prefix = "{prefix}"\n'
            f'group = "{prefix}group"\npartitions = {partitions}\nengine = "{engine}"\n'
            f'session_timeout = "{SESSION_SECONDS:g}s"\n'
        )
        self.workers = []
        self._loop = KafkaLoop(self.settings.servers)
        self._loop.run(create(self.settings, partitions), "creating topics")
        self._producer = Producer(self.settings)
        self._loop.run(self._producer.open(), "connecting")
        event = config_event(rules or Rules(), "qml://daemon/test/0", effective=0, time=1)
        self.everywhere(event)
        self.log = KafkaLog(self.settings)

    def everywhere(self, event):
        """Append one event (a tick, rules) to every partition."""
        self._send({partition: [event] for partition in range(self.partitions)})

    def append(self, events, partition=None):
        """Append events by their key, or all in one partition."""
        parts = {}
        for event in events:
            home = partition_of(event.partitionkey, self.partitions) if partition is None else partition
            parts.setdefault(home, []).append(event)
        self._send(parts)

    def append_bytes(self, value, partition):
        """Append what is no event."""
        parcel = Parcel((self.topics.events, partition), [(None, value, [])])
        self._loop.run(self._producer.send([parcel]), "appending")

    def start(self, name="worker", **options):
        """Start a worker; see `worker_process` for the options."""
        worker = WorkerHandle(name, self.config, self.folder, options)
        self.workers.append(worker)
        return worker

    def read(self, stream, **without):
        """Return what a reader of committed records sees, in the order of each partition, without the log's times."""
        return [replace(record.event, ingestedtime=None, **without) for record in self.records(stream)]

    def records(self, stream):
        """Return all committed records of a stream."""
        found = []
        for partition in range(self.partitions):
            offset = 0
            while page := self.log.read(Stream(stream), partition, offset, 1000):
                found += page
                offset = page[-1].offset + 1
        return found

    def derived(self):
        """Return all that one uninterrupted run over the events derives, by the embedded runner."""
        return replay(self.log, load_processors())

    def reached(self):
        """Return whether every record of every partition was processed and committed."""
        return all(self._reached(partition) for partition in range(self.partitions))

    def _reached(self, partition):
        stored = self.log.peek(partition).watermark
        following = 0 if stored is None else next_offset(watermark.decode(stored).position)
        return not self.log.read(Stream.EVENTS, partition, following, 1)

    def wait_until_processed(self, seconds=60):
        wait_for(self.reached, "all events processed", seconds)

    def close(self):
        for worker in self.workers:
            worker.close()
        self.log.close()
        self._loop.run(self._producer.close(), "closing")
        self._loop.close()

    def _send(self, parts):
        for partition, events in parts.items():
            for first in range(0, len(events), 500):
                entries = [encode_event(event) for event in events[first : first + 500]]
                parcel = Parcel((self.topics.events, partition), entries)
                self._loop.run(self._producer.send([parcel]), "appending")
