"""How far each writer's segments are acknowledged: a small file a writer, replaced as a whole.

    <spool>/.shipping/<nonce>.position     JSON: the segment's name and the byte up to which it is acknowledged
    <spool>/.shipping/<nonce>.lock         held while the writer's own process ships, or somebody who adopted it

A position that is lost or behind costs sending again, which the service recognises by (source, id).
"""

import contextlib
import fcntl
import os
from pathlib import Path

import msgspec

SHIPPING = ".shipping"
_decode = msgspec.json.Decoder(dict[str, int]).decode


class Positions:
    """The positions in one writer's segments. Not thread-safe."""

    def __init__(self, spool: Path, nonce: str) -> None:
        self._path = spool / SHIPPING / f"{nonce}.position"
        self._at = self._read()

    def get(self, segment: str) -> int:
        """Return the byte up to which a segment is acknowledged."""
        return self._at.get(segment, 0)

    def move(self, moved: dict[str, int | None]) -> None:
        """Set positions, None for a segment that is gone; known here even where storing fails.

        Raises:
            OSError: the file cannot be replaced; it holds what it held before.

        """
        for segment, position in moved.items():
            if position is None:
                self._at.pop(segment, None)
            else:
                self._at[segment] = position
        folder = self._path.parent.parent
        for segment in [segment for segment in self._at if not (folder / segment).exists()]:
            del self._at[segment]  # removed, but a crash came before this
        if not self._at:
            self._path.unlink(missing_ok=True)
            return
        self._path.parent.mkdir(mode=0o700, exist_ok=True)
        new = self._path.with_suffix(".new")
        new.write_bytes(msgspec.json.encode(self._at))
        new.replace(self._path)

    def _read(self) -> dict[str, int]:
        try:
            found = _decode(self._path.read_bytes())
        except (OSError, msgspec.DecodeError):
            return {}  # none yet, or torn by a power loss: what was sent is sent again
        return {segment: position for segment, position in found.items() if position >= 0}


class WriterLock:
    """Says that somebody ships one writer's segments. The kernel lets go of it when that process ends.

    On a file system without such locks there is none (`exists` is False): two may then send the same.

    Raises:
        OSError: the folder cannot be written.

    """

    def __init__(self, spool: Path, nonce: str, *, create: bool) -> None:
        self._path = spool / SHIPPING / f"{nonce}.lock"
        self._file = -1
        if create:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            file = os.open(self._path, os.O_RDWR | os.O_CLOEXEC | (os.O_CREAT if create else 0), 0o600)
        except FileNotFoundError:
            self.exists = False
            return
        self.exists = True
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(file)
        except OSError:
            os.close(file)
            self._path.unlink(missing_ok=True)
            self.exists = False
        else:
            self._file = file

    @property
    def held(self) -> bool:
        """Whether this object holds it."""
        return self._file >= 0

    def remove(self) -> None:
        """Let go of it for good: nothing of this writer is left."""
        if self.held:
            with contextlib.suppress(OSError):  # a leftover lock file that nobody holds does no harm
                self._path.unlink()
            self.release()

    def release(self) -> None:
        """Let go of it; in a forked child this leaves the parent's hold as it is. Idempotent."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
