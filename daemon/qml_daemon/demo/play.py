"""The demo: a real training job, a device that goes bad, the alert, and what there is to see of it."""

import contextlib
import io
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

from msgspec import Struct

from qml_daemon.demo.house import House
from qml_daemon.demo.progress import Progress
from qml_daemon.demo.verdict import judge, judge_once, opening_canary
from qml_daemon.demo.watcher import Seen, Watcher, open_file
from quantum_mlops.errors import MissingExtraError, UserError
from quantum_mlops.events import FindingChanged

LAST_WORDS_SECONDS = 20.0
LOOK_SECONDS = 0.2
NEVER = "never"
USERS_MISTAKE = 2
PLAIN_WIDTH = 100
KILL_STEP = 25


class Play(Struct, frozen=True, kw_only=True):
    """What to play: see `quantum-mlops demo --help`."""

    folder: Path
    seed: int
    backend: str
    qubits: str
    before: str
    after: str
    change_at: str
    keep: bool
    kafka: str | None = None

    @property
    def changes(self) -> bool:
        """Whether the device gets another calibration at all."""
        return self.change_at != NEVER and self.before != self.after

    def training_arguments(self) -> list[str]:
        """Return the arguments of the training script."""
        arguments = ["--seed", str(self.seed), "--backend", self.backend, "--qubits", self.qubits]
        arguments += ["--before", self.before, "--after", self.after if self.changes else "none"]
        return arguments if self.change_at == NEVER else [*arguments, "--change-at", self.change_at]


def play(what: Play) -> int:
    """Play it and return the exit code: 0 as it must be, 1 not so, 2 for a mistake in what was asked."""
    if what.change_at != NEVER and not what.change_at.isdecimal():
        raise UserError(f"--change-at: {what.change_at!r} is neither a step nor {NEVER}")
    try:
        from qml_daemon.demo.train import load_schedule, parse_arguments
    except ImportError as error:
        raise MissingExtraError("the demo", "demo") from error
    complaint = io.StringIO()
    try:
        with contextlib.redirect_stderr(complaint):
            options = parse_arguments(what.training_arguments())
        load_schedule(options)
    except SystemExit as error:
        lines = complaint.getvalue().splitlines() or [str(error)]
        raise UserError(lines[-1].rpartition("error: ")[2].partition(": ")[2] or lines[-1]) from None
    except LookupError as error:
        raise UserError(str(error.args[0])) from error
    house = House(what.folder, what.kafka)
    house.prepare()
    progress = Progress(options.steps)
    keep = False
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _leave)  # as Ctrl-C: nothing that was started stays behind
    try:
        seen, training = _run(house, what, progress)
        if training.returncode:
            progress.say("\n".join(["The training failed:", *house.read_log("training")[-5:]]))
            return USERS_MISTAKE if training.returncode == USERS_MISTAKE else 1
        keep = what.keep
        pids = house.keep() if keep else []
        if not keep and house.stop() != 0:
            progress.say(f"The daemon did not stop cleanly; see {house.folder / 'daemon.log'}")
            return 1
    except KeyboardInterrupt:
        progress.say(f"\ninterrupted; everything is stopped; what was written is in {os.path.relpath(house.folder)}")
        raise
    finally:
        if not keep:
            house.stop()
    return _report(house, what, seen, pids)


def _run(house: House, what: Play, progress: Progress) -> tuple[Seen, "subprocess.Popen[bytes]"]:
    progress.say(f"quantum-mlops demo in {os.path.relpath(house.folder)}")
    house.start_receiver()
    if what.kafka is not None:
        house.start_workers()
    house.start_daemon()
    progress.say("  receiver  speaks Slack's incoming-webhook protocol on this machine")
    if what.kafka is not None:
        progress.say(f"  kafka     {what.kafka}; topics made by `quantum-mlops kafka init`")
        progress.say("  workers   two, they share the partitions; the daemon takes in and tells")
    progress.say("  daemon    ready; group_wait 0 s, group_interval 1 s for the show (defaults: 30 s, 5 m)")
    training = house.start_training(what.training_arguments())
    change = f"recalibrated to {what.after} at step {what.change_at}" if what.changes else "not recalibrated"
    progress.say(
        f"  training  iris on ibm_{what.backend} {what.qubits} as of {what.before}, {change}; nothing tells the daemon"
    )
    watcher, befall = _arrange(house, what, progress)
    try:
        while training.poll() is None:
            house.check_all()
            progress.show(watcher.look())
            befall(watcher.seen)
            time.sleep(LOOK_SECONDS)
        deadline = time.monotonic() + LAST_WORDS_SECONDS
        while training.returncode == 0 and not _is_over(watcher.look()) and time.monotonic() < deadline:
            house.check_all()
            befall(watcher.seen)
            time.sleep(LOOK_SECONDS)
        progress.show(watcher.look())
        progress.say("")
        return watcher.seen, training
    finally:
        watcher.close()


def _arrange(house: House, what: Play, progress: Progress) -> tuple[Watcher, Callable[[Seen], None]]:
    """Return who watches, and what befalls the workers: on Kafka the one that has the run is killed on the way."""
    if what.kafka is None:
        return Watcher(house.folder, partial(open_file, house.store)), lambda seen: None  # noqa: ARG005 - of a seam
    from qml_daemon.demo.workers import Accident, open_watched

    at_step = int(what.change_at) // 4 if what.change_at.isdecimal() else KILL_STEP
    return Watcher(house.folder, partial(open_watched, house)), Accident(house, progress, at_step).look


def _leave(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - the signature of a handler
    raise KeyboardInterrupt


def _is_over(seen: Seen) -> bool:
    """Whether all of the run is in the log, and every message on it has arrived."""
    firing, resolved = len(seen.told("FIRING")), len(seen.told("RESOLVED"))
    return seen.run_ended and bool(firing) == bool(seen.opened()) and bool(resolved) == bool(seen.closed())


def _report(house: House, what: Play, seen: Seen, pids: list[int]) -> int:
    from rich.console import Console

    from qml_daemon.demo.slack_text import render_message
    from qml_daemon.demo.truth import exact_effect

    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=PLAIN_WIDTH)
    firing, resolved = seen.told("FIRING"), seen.told("RESOLVED")
    for title, messages in (("As Slack shows the alert:", firing[:1]), ("And its end:", resolved[-1:])):
        for message in messages:
            console.print(title, style="bold")
            console.print(render_message(message))
    effect = exact_effect(what.backend, what.qubits, what.before, what.after) if what.changes else None
    verdict = judge(seen, effect)
    if what.kafka is not None and verdict.is_right:
        verdict = judge_once(seen, verdict)
    console.print(verdict.text, style="green" if verdict.is_right else "red")
    for line in _facts(house, seen):
        console.print(f"  {line}", markup=False)
    console.print("\nLook further:", style="bold")
    for line in _commands(house, seen, pids):
        console.print(f"  {line}", markup=False, soft_wrap=True)
    return 0 if verdict.is_right else 1


def _facts(house: House, seen: Seen) -> list[str]:
    facts = [f"{len(seen.canaries)} canaries, {seen.events} events, {len(seen.messages)} messages"]
    changed = seen.first_changed()
    for opened in seen.opened():
        data: Any = opened.data
        if changed is not None and isinstance(data, FindingChanged):
            count = opening_canary(seen, opened) - changed + 1
            facts.append(f"opened on canary {count} after the change: Hellinger {data.values['hellinger']:.3f}")
    accuracy = [line for line in house.read_log("training") if line.startswith("accuracy:")]
    return [*facts, *accuracy]


def _command_name() -> str:
    """Return what to type for this command: its name where the shell finds it, else its place."""
    script = Path(sys.executable).with_name("quantum-mlops")
    if shutil.which("quantum-mlops") or not script.is_file():
        return "quantum-mlops"
    return os.path.relpath(script)


def _commands(house: House, seen: Seen, pids: list[int]) -> list[str]:
    if house.kafka is not None and not pids:
        return ["KEEP=1 leaves broker, workers and daemon up, to look at: quantum-mlops kafka status, alerts, tail -f"]
    config = f"--config {os.path.relpath(house.config)}"
    name = _command_name()
    shown = [one.data.finding_id[:12] for one in seen.opened() if isinstance(one.data, FindingChanged)]
    commands = [f"{name} alerts show {shown[0]} {config}"] if shown else []
    commands += [f"{name} {command} {config}" for command in ("alerts", "replay", "tail", "doctor")]
    if pids:
        commands.append(f"stop what was left up: kill {' '.join(map(str, pids))}")
    return commands
