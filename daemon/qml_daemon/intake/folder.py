"""A look into the spool folder: segments, and what does not belong there. Follows no link, opens nothing."""

import os
import stat
from pathlib import Path

from msgspec import Struct

from quantum_mlops.spool.segment import SegmentName, parse_name

MAX_ENTRIES = 20_000


class SeenSegment(Struct, frozen=True):
    """A regular file that is named like a segment; `modified` in nanoseconds UTC."""

    name: SegmentName
    size: int
    modified: int


class Listing(Struct, frozen=True):
    """What is in the folder: segments, and by name the reason why an entry is none."""

    segments: dict[str, SeenSegment]
    foreign: dict[str, str]


def look_into(folder: Path) -> Listing:
    """Return what `folder` holds; an absent folder is empty. At most 20,000 entries are looked at.

    Raises:
        OSError: the folder cannot be read.

    """
    listing = Listing({}, {})
    try:
        entries = os.scandir(folder)
    except FileNotFoundError:
        return listing
    with entries:
        for _, entry in zip(range(MAX_ENTRIES), entries, strict=False):
            name = parse_name(entry.name)
            try:
                found = entry.stat(follow_symlinks=False)
            except FileNotFoundError:
                continue  # gone since the folder was listed
            if entry.name.startswith(".") and stat.S_ISDIR(found.st_mode):
                continue  # what is shipped elsewhere, and how far: see quantum_mlops.shipping
            if not stat.S_ISREG(found.st_mode):
                listing.foreign[entry.name] = f"a {_kind(found.st_mode)}, not a segment"
            elif name is None:
                listing.foreign[entry.name] = f"a file of {found.st_size} bytes that is not named like a segment"
            else:
                listing.segments[entry.name] = SeenSegment(name, found.st_size, found.st_mtime_ns)
    return listing


def printable(name: str) -> str:
    """Return a file's name in ASCII, whatever bytes it has.

    >>> printable("spool-é").isascii()
    True
    """
    return name.encode("ascii", "backslashreplace").decode()


def _kind(mode: int) -> str:
    for test, word in (
        (stat.S_ISLNK, "symbolic link"),
        (stat.S_ISDIR, "directory"),
        (stat.S_ISFIFO, "fifo"),
        (stat.S_ISSOCK, "socket"),
    ):
        if test(mode):
            return word
    return "device"
