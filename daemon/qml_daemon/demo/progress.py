"""Progress on the way: one line that is updated on a terminal, a line now and then where it is piped."""

import shutil
import sys
import time

from qml_daemon.demo.watcher import Seen

PLAIN_SECONDS = 5.0


class Progress:
    """Shows how far the work is; `say` prints a line that stays."""

    def __init__(self, steps: int | None) -> None:
        self._steps = steps
        self._live = sys.stdout.isatty()
        self._began = time.monotonic()
        self._shown_at = self._began
        self._said: set[str] = set()

    def show(self, seen: Seen) -> None:
        """Show the figures, and once each thing that happened."""
        self._tell(seen)
        now = time.monotonic()
        if not self._live and now - self._shown_at < PLAIN_SECONDS:
            return
        self._shown_at = now
        step = "starting" if seen.step is None else f"step {seen.step}" + (f"/{self._steps}" if self._steps else "")
        figures = [step, *(f"{name} {value:.2f}" for name, value in sorted(seen.metrics.items()))]
        figures += [f"{len(seen.canaries)} canaries", f"{seen.events} events"]
        firing = len(seen.opened()) - len(seen.closed())
        figures.append(f"{firing} firing" if firing else "quiet")
        line = f"{now - self._began:4.0f} s  {'  '.join(figures)}"
        if self._live:
            # A line that wraps could not be taken back.
            print(f"\r\033[K{line[: shutil.get_terminal_size().columns - 1]}", end="", flush=True)
        else:
            print(line, flush=True)

    def say(self, text: str) -> None:
        """Print a line that stays."""
        print(f"\r\033[K{text}" if self._live else text, flush=True)

    def _tell(self, seen: Seen) -> None:
        changed = seen.first_changed()
        if changed is not None:
            self._once("changed", f"      the device has another calibration since canary {changed + 1}")
        for word, text in (("FIRING", "an alert arrived"), ("RESOLVED", "the alert is resolved")):
            if seen.told(word):
                self._once(word, f"      {text}, at canary {len(seen.canaries)}")

    def _once(self, name: str, text: str) -> None:
        if name not in self._said:
            self._said.add(name)
            self.say(text)
