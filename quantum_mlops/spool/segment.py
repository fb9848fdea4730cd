"""Segments: the files of a spool, their names, their header and the records in them.

A process writes its own segments and no others: `<nonce>-<class>-<number>.qseg`. Frequent data
(metrics, shots) and what decides a run's story (everything else) go to different classes, so that a
full spool loses the first before the second.
"""

import os
import re
from enum import StrEnum
from pathlib import Path
from typing import Annotated

from msgspec import Meta, Raw, Struct

from quantum_mlops.events import Context, type_name
from quantum_mlops.events.envelope import Label, Name

SUFFIX = ".qseg"
SEGMENT_BYTES = 8 * 1024 * 1024
LEASE_SECONDS = 10.0

_NAME = re.compile(r"([0-9a-f]{12})-(lifecycle|bulk)-(\d{8})\.qseg", re.ASCII)


class SpoolClass(StrEnum):
    """The two classes of segment."""

    LIFECYCLE = "lifecycle"
    BULK = "bulk"


_BULK_TYPES = frozenset(map(type_name, ("metric.logged", "shots.measured")))


def class_of(event_type: str) -> SpoolClass:
    """Return the class of an event type.

    >>> str(class_of("quantum_mlops.metric.logged.v1")), str(class_of("com.example.other"))
    ('bulk', 'lifecycle')
    """
    return SpoolClass.BULK if event_type in _BULK_TYPES else SpoolClass.LIFECYCLE


class SegmentName(Struct, frozen=True, gc=False):
    """What a segment's file name says."""

    nonce: str
    spool_class: SpoolClass
    number: int

    def __str__(self) -> str:
        return f"{self.nonce}-{self.spool_class}-{self.number:08d}{SUFFIX}"


def parse_name(name: str) -> SegmentName | None:
    """Return what a file name says, or None where it is no segment.

    >>> parse_name("0123456789ab-bulk-00000003.qseg").number
    3
    >>> parse_name("notes.txt") is None
    True
    """
    found = _NAME.fullmatch(name)
    return None if found is None else SegmentName(found[1], SpoolClass(found[2]), int(found[3]))


class SegmentHeader(Struct, frozen=True, kw_only=True, gc=False):
    """Who writes a segment; enough to tell whether that process still lives.

    `boot_id` and `pid_namespace` are empty where the system does not tell; then only the lease
    decides (the writer touches the file every `LEASE_SECONDS`). `created_time` is nanoseconds UTC.
    """

    host: str
    nonce: str
    pid: int
    boot_id: str
    pid_namespace: str
    sdk_version: str
    spool_class: SpoolClass
    number: int
    created_time: int


Counter = Annotated[int, Meta(ge=0, le=2**63 - 1)]


class SpoolRecord(Struct, frozen=True, array_like=True, gc=False):
    """One event in a frame, its data packed. Append fields only at the end.

    `stream` and `sequence` make the event's source and id.
    """

    stream: Counter
    sequence: Counter
    type: Name
    time: int
    partitionkey: Label
    project: Label
    context: Context
    data: Raw


class NamedRecord(SpoolRecord, frozen=True, array_like=True, gc=False):
    """An event with a source and an id of its own: its maker can then say the same again without its counting twice.

    What is left empty is made of `stream` and `sequence`; so every record is read as one of these.
    """

    source: Label = ""
    id: Label = ""


class Writer(Struct, frozen=True, gc=False):
    """The process that writes: the part of every segment header that does not change."""

    host: str
    nonce: str
    pid: int
    boot_id: str
    pid_namespace: str
    sdk_version: str


def this_process(nonce: str, sdk_version: str) -> Writer:
    """Return this process as a `Writer`. Reads /proc; an absent figure is the empty text."""
    return Writer(os.uname().nodename or "localhost", nonce, os.getpid(), boot_id(), pid_namespace(), sdk_version)


def boot_id() -> str:
    """Return the id of the running kernel's boot, or "" where the system does not tell."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""


def pid_namespace() -> str:
    """Return the name of this process's pid namespace, or "" where the system does not tell."""
    try:
        return str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        return ""
