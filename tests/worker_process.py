"""A worker as a process of its own that a test may end at a step of its n-th transaction.

    python tests/worker_process.py CONFIG '{"point": "state sent", "number": 3, "signal": 9}'

`signal` 9 is the default; 19 (SIGSTOP) leaves it standing there until SIGCONT. Transactions are counted over all
partitions. Other keys: `listen`, `instance`, `pace` (fields of `WorkerConfig`), `aging` (a version: adds the processor in
tests/kafka/aging.py).
"""

import json
import os
import signal
import sys
from pathlib import Path

from qml_daemon.configuration import read_config
from qml_daemon.journal import log_to_stderr
from qml_daemon.worker.process import WorkerOptions, WorkerProcess
from qml_processors.runner import load_processors
from qml_processors.worker.worker import WorkerConfig
from tests.kafka.aging import AgingProcessor


def make_fault(point, number, number_of_signal):
    reached = 0

    def fault(step):
        nonlocal reached
        reached += step == point
        if step == point and reached == number:
            os.kill(os.getpid(), number_of_signal)

    return fault


def main(config, options):
    fault = None
    if "point" in options:
        fault = make_fault(options["point"], options.get("number", 1), options.get("signal", signal.SIGKILL))
    process = WorkerProcess(
        read_config(Path(config), os.environ),
        WorkerOptions(
            listen=options.get("listen", "127.0.0.1:0"),
            instance=options.get("instance"),
            pace=WorkerConfig(**options.get("pace", {})),
            fault=fault,
            processors=[*load_processors(), AgingProcessor(options["aging"])] if "aging" in options else None,
        ),
        log_to_stderr("text", sys.stderr),
    )
    signal.signal(signal.SIGTERM, lambda *_: process.stop())
    code = process.run(os.environ)
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    main(sys.argv[1], json.loads(sys.argv[2]) if len(sys.argv) > 2 else {})
