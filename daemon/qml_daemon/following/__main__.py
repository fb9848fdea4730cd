"""`python -m qml_daemon.following`: the follower as a process, as the daemon starts it.

With `--attached` it ends when its standard input does, so that it never outlives the daemon.
"""

import argparse
import os
import signal
import sys
import threading
from pathlib import Path
from types import FrameType

from qml_daemon.calibrations.session import polling
from qml_daemon.configuration import read_config
from qml_daemon.following.notices import say_notices
from qml_daemon.following.session import open_follower
from qml_daemon.following.worker import Follower
from quantum_mlops.errors import QuantumMlopsError, UserError


def main(arguments: list[str] | None = None) -> int:
    """Run until SIGTERM; return 0, 1 (failed) or 2 (a mistake in what is configured)."""
    parser = argparse.ArgumentParser(prog="python -m qml_daemon.following", description=__doc__)
    parser.add_argument("--config", type=Path, help="else as the daemon finds it")
    parser.add_argument("--attached", action="store_true", help="end with the standard input")
    chosen = parser.parse_args(arguments)
    with say_notices("%(asctime)s %(levelname)s %(message)s"):
        return _follow(chosen.config, attached=chosen.attached)


def _follow(path: Path | None, *, attached: bool) -> int:
    try:
        config = read_config(path, os.environ)
        follower = open_follower(config, os.environ, lambda _: None)
    except UserError as error:
        return _refuse(error, 2)
    except QuantumMlopsError as error:
        return _refuse(error, 1)
    _stop_by(follower, attached=attached)
    try:
        with polling(config, os.environ):
            try:
                follower.run()
            finally:
                follower.close()  # first: a poll that is under way may take the time that the daemon leaves us
    except UserError as error:
        return _refuse(error, 2)
    finally:
        follower.close()
    return 0


def _stop_by(follower: Follower, *, attached: bool) -> None:
    def stop(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - the signature of a handler
        follower.halt()

    signal.signal(signal.SIGTERM, stop)
    # Ctrl-C reaches the whole group of a terminal; the daemon decides when its follower stops.
    signal.signal(signal.SIGINT, signal.SIG_IGN if attached else stop)
    if attached:
        threading.Thread(target=_watch, args=(follower,), daemon=True).start()


def _watch(follower: Follower) -> None:
    while os.read(sys.stdin.fileno(), 1024):
        pass
    follower.halt()


def _refuse(error: QuantumMlopsError, code: int) -> int:
    for line in str(error).splitlines():
        print(f"quantum-mlops: follower: {line}", file=sys.stderr)  # noqa: T201 - a command's one line
    return code


if __name__ == "__main__":
    sys.exit(main())
