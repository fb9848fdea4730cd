"""Which segments are to be read now: of each writer and class the first, so that a writer's order is kept."""

import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Protocol

from msgspec import Struct

from quantum_mlops.shipping.position import WriterLock
from quantum_mlops.spool.reader import SegmentReader
from quantum_mlops.spool.segment import SegmentName, SpoolClass, boot_id, parse_name


class Head(Struct, frozen=True):
    """One segment to read. `final` says that nothing will follow in it: it may be ended and removed."""

    path: Path
    name: SegmentName
    size: int
    final: bool


class Source(Protocol):
    """Finds the segments that one shipper is responsible for."""

    def own(self) -> list[Head]:
        """Return what must be sent before a flush is done. Raises OSError where the folder cannot be read."""
        ...

    def adopted(self) -> list[Head]:
        """Return what others left behind. Raises OSError where the folder cannot be read."""
        ...


def list_segments(folder: Path) -> Iterator[tuple[SegmentName, int]]:
    """Yield name and size of each segment in a folder; an absent folder is empty. Follows no link."""
    try:
        entries = os.scandir(folder)
    except FileNotFoundError:
        return
    with entries:
        for entry in entries:
            name = parse_name(entry.name)
            if name is None:
                continue
            try:
                found = entry.stat(follow_symlinks=False)
            except FileNotFoundError:
                continue  # removed since the folder was listed
            if stat.S_ISREG(found.st_mode):
                yield name, found.st_size


def first_of_each(folder: Path, segments: Iterable[tuple[SegmentName, int]], ended: set[str]) -> list[Head]:
    """Return the first segment of each writer and class, lifecycle before bulk; `ended` writers write no more."""
    first: dict[tuple[SpoolClass, str], tuple[SegmentName, int]] = {}
    last: dict[tuple[SpoolClass, str], int] = {}
    for name, size in segments:
        key = (name.spool_class, name.nonce)
        if key not in first or name.number < first[key][0].number:
            first[key] = (name, size)
        last[key] = max(name.number, last.get(key, 0))
    order = {SpoolClass.LIFECYCLE: 0, SpoolClass.BULK: 1}
    return [
        Head(folder / str(name), name, size, final=name.number < last[key] or name.nonce in ended)
        for key, (name, size) in sorted(first.items(), key=lambda item: (order[item[0][0]], item[0][1]))
    ]


class ProcessSource:
    """The segments of this process, and those of dead processes of this machine that shipped from the same folder.

    That a process is dead is told by the lock it held: the kernel of the same boot took it back. Whose
    lock is not there, or whose machine is another, waits for `quantum-mlops ship`.
    """

    def __init__(self, folder: Path, nonce: str) -> None:
        self._folder = folder
        self._nonce = nonce
        self._host = (os.uname().nodename or "localhost", boot_id())
        self._lock = WriterLock(folder, nonce, create=True)
        self._adopted: dict[str, WriterLock] = {}
        self._foreign: set[str] = set()
        self.ended = False

    def own(self) -> list[Head]:
        """Return this process's; `ended` says that it writes no more."""
        mine = [(name, size) for name, size in list_segments(self._folder) if name.nonce == self._nonce]
        return first_of_each(self._folder, mine, {self._nonce} if self.ended else set())

    def own_all(self) -> list[Head]:
        """Return every segment of this process, not only the first ones."""
        found = list_segments(self._folder)
        return [
            Head(self._folder / str(name), name, size, final=False) for name, size in found if name.nonce == self._nonce
        ]

    def adopted(self) -> list[Head]:
        """Return those of the dead; takes their locks."""
        found = [(name, size) for name, size in list_segments(self._folder) if name.nonce != self._nonce]
        there = {name.nonce for name, _ in found}
        for nonce in self._adopted.keys() - there:
            self._adopted.pop(nonce).remove()
        for name, _ in found:
            if name.nonce not in self._adopted and name.nonce not in self._foreign:
                self._adopt(name)
        orphans = [(name, size) for name, size in found if name.nonce in self._adopted]
        return first_of_each(self._folder, orphans, set(self._adopted))

    def _adopt(self, name: SegmentName) -> None:
        if not self._is_of_this_boot(self._folder / str(name)):
            self._foreign.add(name.nonce)
            return
        lock = WriterLock(self._folder, name.nonce, create=False)
        if lock.held:
            self._adopted[name.nonce] = lock
        elif not lock.exists:
            self._foreign.add(name.nonce)

    def _is_of_this_boot(self, path: Path) -> bool:
        try:
            reader = SegmentReader(path)
        except OSError:
            return False
        try:
            header = reader.header
        finally:
            reader.close()
        return header is not None and bool(header.boot_id) and (header.host, header.boot_id) == self._host

    def close(self) -> None:
        """Let go of the locks: at the end, with nothing left of this process's the lock's file goes, too."""
        empty = self.ended and not self.own()
        for lock in self._adopted.values():
            lock.release()
        self._adopted.clear()
        if empty:
            self._lock.remove()
        self.abandon()

    def abandon(self) -> None:
        """Close the lock files; in a forked child the parent's hold stays."""
        for lock in (self._lock, *self._adopted.values()):
            lock.release()
