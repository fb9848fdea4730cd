"""The demo through a real Kafka from Maven's jars; `make run ENGINE=kafka` is this.

    python tools/kafka/demo.py [options of quantum-mlops demo]

Everything is written under build/demo; the jars stay in build/kafka. With --keep the broker stays up, too.
"""

import signal
import subprocess
import sys
from pathlib import Path
from shutil import rmtree

if not __package__:  # run as a script
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from qml_daemon.demo.house import House
from quantum_mlops.errors import QuantumMlopsError
from tools.kafka.broker import Broker
from tools.kafka.jars import BrokerError, jars

FOLDER = Path("build/demo")
_INTERRUPTED = 130


def main(options: list[str]) -> int:
    """Start a broker, play the demo through it, stop it; return the demo's exit code, 2 where there is no broker."""
    signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))
    try:
        jars()
        House(FOLDER).prepare()
        rmtree(FOLDER / "broker", ignore_errors=True)
        broker = Broker(FOLDER / "broker").start()
    except (BrokerError, QuantumMlopsError) as error:
        print(f"quantum-mlops: {error}", file=sys.stderr)
        return 2
    code = _INTERRUPTED
    try:
        code = _play(broker, options)
    finally:
        if code == 0 and "--keep" in options and broker.process is not None:
            print(f"  the broker stays up, too: kill {broker.process.pid}")
        else:
            broker.stop()
    return code


def _play(broker: Broker, options: list[str]) -> int:
    command = [sys.executable, "-m", "quantum_mlops", "demo", "--dir", str(FOLDER), "--kafka", broker.bootstrap]
    demo = subprocess.Popen([*command, *options])
    while True:
        try:
            return demo.wait()
        except KeyboardInterrupt:  # the demo got it as well, and stops what it started
            continue
        except SystemExit:
            demo.terminate()
            demo.wait()
            raise


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
