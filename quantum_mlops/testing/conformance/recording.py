"""What was recorded while something ran: a recorder on a folder of its own, with every installed instrumentation."""

from pathlib import Path
from types import TracebackType
from typing import Self

from quantum_mlops.events import Event, short_name
from quantum_mlops.sdk.autolog import Autolog
from quantum_mlops.sdk.recorder import Recorder
from quantum_mlops.sdk.settings import Settings
from quantum_mlops.spool.reader import read_folder


class Recording:
    """`autolog()` on a recorder of its own, from `with` to its end; then its events.

    Args:
        folder: where its spool goes, an empty folder.

    """

    def __init__(self, folder: Path) -> None:
        self._spool = folder / "spool"
        self.recorder = Recorder(Settings(spool=str(self._spool), project="conformance"))
        self._autolog = Autolog(self.recorder)

    def __enter__(self) -> Self:
        if not self.recorder.start():
            raise AssertionError("the recorder did not start")
        self.recorder.autolog = self._autolog
        self._autolog.load()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._autolog()
        self.recorder.close()

    def undo(self) -> None:
        """Take the hooks away; the recorder goes on. Idempotent."""
        self._autolog()

    def events(self, *kinds: str) -> list[Event]:
        """Return what was recorded so far, of the types asked for (short names), in the order of time."""
        if not self.recorder.flush(30):
            raise AssertionError("the recorder did not write within 30 s")
        found = [event for event in read_folder(self._spool) if not kinds or short_name(event.type) in kinds]
        return sorted(found, key=lambda event: event.time)

    def check_losses(self) -> None:
        """Raise AssertionError where an instrumentation met an error of its own or anything was dropped."""
        lost = self.recorder.stats().reasons
        if lost:
            raise AssertionError(f"lost while recording: {dict(lost)}")
