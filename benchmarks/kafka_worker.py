"""One worker in a process of its own, which measures itself; started by kafka.py. Options and figures are JSON.

It prints a line when its partitions are open, and one when all that was asked for is processed and committed.
"""

import json
import os
import resource
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

from qml_processors.runner import Runner, RunnerConfig, load_processors
from qml_processors.worker.engines import make_delivery
from qml_processors.worker.kafka_store import KafkaStore
from qml_processors.worker.worker import Worker, WorkerConfig
from quantum_mlops.stats import parse_rate, threshold
from quantum_mlops.transports.kafka.settings import KafkaSettings

_GLANCE_SECONDS = 0.05
_WARM_SHARE = 0.1


def current_bytes() -> int:
    """Return the resident memory now."""
    fields = Path("/proc/self/statm").read_text().split()
    return int(fields[1]) * os.sysconf("SC_PAGE_SIZE")


class Watch:
    """Looks at each turn of the worker how far it is; ends it when `wanted` records are processed."""

    def __init__(self, wanted: int) -> None:
        self.wanted = wanted
        self.worker: Worker | None = None
        self.stopping = threading.Event()
        self.looked = 0.0
        self.samples: list[tuple[float, float, int]] = []

    def look(self) -> bool:
        """Take a sample now and then; return whether to stop."""
        now = time.monotonic()
        if self.wanted and self.worker is not None and now - self.looked >= _GLANCE_SECONDS:
            self.looked = now
            done = sum(part.offset for part in self.worker.runner.stats().partitions)
            self.samples.append((now, time.process_time(), done))
            if done >= self.wanted:
                self.stopping.set()
        return self.stopping.is_set()

    def rates(self) -> dict[str, float]:
        """Return events a second by the clock and by processor time, once it is warm."""
        first = next(sample for sample in self.samples if sample[2] >= _WARM_SHARE * self.wanted)
        last = self.samples[-1]
        return {
            "rate": (last[2] - first[2]) / (last[0] - first[0]),
            "cpu_rate": (last[2] - first[2]) / (last[1] - first[1]),
        }


def main(options: dict[str, Any]) -> None:
    """Work until done or told to end."""
    sys.setswitchinterval(0.001)
    threshold(parse_rate("1 per 10000 observations"))
    settings = KafkaSettings(
        bootstrap_servers=(options["bootstrap"],), topic_prefix=options["prefix"], engine=options["engine"],
        group=options["prefix"] + "group",
    )  # fmt: skip
    store = KafkaStore(settings)
    watch = Watch(options["wanted"])
    worker = watch.worker = Worker(
        store,
        make_delivery(settings, store, None),
        lambda log: Runner(log, load_processors(), RunnerConfig(accept_loss=True)),
        WorkerConfig(),
        lambda _line: None,
    )
    signal.signal(signal.SIGTERM, lambda _number, _frame: watch.stopping.set())
    began = time.monotonic()

    def ready() -> None:
        stats = worker.runner.stats().partitions
        tell(
            seconds=time.monotonic() - began,
            recovery_seconds=sum(part.recovery_seconds for part in stats),
            series=sum(part.series for part in stats),
            partitions=[part.partition for part in stats],
        )

    worker.run(watch.look, ready)
    series = sum(one.stats.series for one in worker.report.partitions)
    figures = watch.rates() if watch.samples else {}
    tell(
        **figures,
        now_bytes=current_bytes(),
        peak_bytes=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        series=series,
    )
    store.close()


def tell(**figures: Any) -> None:
    """Print figures."""
    sys.stdout.write(json.dumps(figures) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
    os._exit(0)
