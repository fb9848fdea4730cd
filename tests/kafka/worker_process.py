"""One worker as a process of its own, for tests that kill it: `python -m tests.kafka.worker_process OPTIONS`.

It is the process of `quantum-mlops worker`, with one processor more, which counts (tests/kafka/counting.py). OPTIONS is
JSON, see `Options`. It may end or stop itself at a step of a transaction, which nobody outside could hit.
"""

import os
import signal
import sys
import threading
from pathlib import Path

import msgspec
from msgspec import Struct

from qml_daemon.worker.process import WorkerOptions, WorkerProcess
from qml_processors.worker.worker import WorkerConfig
from quantum_mlops.config.rules import Rules
from quantum_mlops.config.sections import Config, ExportersSection, HttpSection, KafkaSection, LogSection, Route
from tests.kafka.counting import all_processors
from tests.kafka.raising import RaisingProcessor


class Options(Struct, frozen=True, kw_only=True):
    """What a test wants of a worker.

    At its `fault_number`th time at the step `fault_step` of a transaction it sends itself `fault_signal`. `raising`
    adds a processor that raises for some events.
    """

    bootstrap: str
    prefix: str
    engine: str = "aiokafka"
    partitions: int = 6
    instance: str | None = None
    session_timeout: str = "6s"
    batch: int = 200
    fault_step: str | None = None
    fault_number: int = 1
    fault_signal: int = int(signal.SIGKILL)
    raising: bool = False


def make_config(options: Options) -> Config:
    """Return what `quantum-mlops.toml` would say."""
    kafka = KafkaSection(
        bootstrap_servers=[options.bootstrap], topic_prefix=options.prefix, group=f"{options.prefix}group",
        partitions=options.partitions, engine=options.engine, session_timeout=options.session_timeout,  # type: ignore[arg-type]
    )  # fmt: skip
    return Config(
        path=None, receivers={}, route=Route(), rules=Rules(), log=LogSection(kind="kafka"), http=HttpSection(),
        exporters=ExportersSection(), state_dir=Path(), spool_dir=Path(), kafka=kafka,
    )  # fmt: skip


def main(text: str) -> int:
    """Work until told to end; return the exit code."""
    options = msgspec.json.decode(text, type=Options)
    times = 0

    def fault(step: str) -> None:
        nonlocal times
        times += step == options.fault_step
        if step == options.fault_step and times == options.fault_number:
            signal.pthread_kill(threading.get_ident(), options.fault_signal)  # this thread goes no step further

    process = WorkerProcess(
        make_config(options),
        WorkerOptions(
            listen="off",
            instance=options.instance,
            pace=WorkerConfig(batch=options.batch, look_seconds=1.0, stall_seconds=5.0),
            fault=fault if options.fault_step else None,
            processors=[*all_processors(), *([RaisingProcessor()] if options.raising else [])],
        ),
        _say,
    )
    signal.signal(signal.SIGTERM, lambda _number, _frame: process.stop())
    return process.run({})


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    code = main(sys.argv[1])
    sys.stderr.flush()
    os._exit(code)  # no thread of a client may hold the end up
