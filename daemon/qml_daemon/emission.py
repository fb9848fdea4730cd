"""Lines of JSON become events in a spool: what `quantum-mlops emit` does for shells.

A line is an event as CloudEvents JSON has it, without what is made here: `{"type": "metric.logged",
"data": {"values": {"loss": 0.3}}, "runid": "r1"}`. It is checked as the recorder checks, before anything is written.
"""

import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import msgspec
from msgspec import Raw, Struct

from qml_daemon.ingest.nesting import MAX_DEPTH, nests_deeper
from quantum_mlops.errors import UserError
from quantum_mlops.events import Context
from quantum_mlops.sdk.packing import full_type, merge_context, pack_data, pack_record
from quantum_mlops.sdk.settings import Settings
from quantum_mlops.spool.segment import SpoolClass, SpoolRecord, class_of, this_process
from quantum_mlops.spool.writer import SpoolWriter
from quantum_mlops.timestamps import parse_time
from quantum_mlops.version import __version__

MAX_LINE_BYTES = 1024 * 1024
_MADE_HERE = ("id", "source", "ingestedtime")
_TAKEN_ALONE = ("type", "data", "time", "partitionkey", "project", "specversion", "datacontenttype")
_KNOWN = frozenset((*_TAKEN_ALONE, *Context.__struct_fields__))
_ERRORS = (ValueError, TypeError, OverflowError, RecursionError, NotImplementedError, msgspec.MsgspecError)


class _Packed(Struct, frozen=True):
    spool_class: SpoolClass
    data: bytes


class Emission:
    """Writes one process's events. Not thread-safe.

    Args:
        settings: the spool and the project.
        nonce: this process's, 12 hex digits.
        context: attributes of every event, which a line may replace.

    """

    def __init__(self, settings: Settings, nonce: str, context: Mapping[str, Any]) -> None:
        self._project = settings.project
        self._context = {name: value for name, value in context.items() if value is not None}
        self._writer = this_process(nonce, __version__)
        self._spool = SpoolWriter(Path(settings.spool), self._writer)
        self._streams: dict[tuple[str, SpoolClass], tuple[int, int]] = {}
        self.written = 0

    def send(self, line: bytes) -> None:
        """Check one line and write its event; after the return it survives the death of this process.

        Raises:
            UserError: the line is no event; nothing is written.
            OSError: the spool cannot be written, or is full.

        """
        try:
            if nests_deeper(line):
                raise ValueError(f"nested deeper than {MAX_DEPTH} levels")
            packed = self._pack(_read(line))
        except _ERRORS as error:
            raise UserError(str(error)[:500] or type(error).__name__) from error
        self._spool.write(packed.spool_class, [packed.data], time.time_ns())
        self.written += 1

    def close(self) -> None:
        """Seal the segments. Raises OSError where a seal cannot be written; what was sent is there all the same."""
        self._spool.close()

    def _pack(self, fields: dict[str, Any]) -> _Packed:
        name = full_type(fields["type"])
        project = fields.get("project", self._project)
        if project != self._project:
            raise ValueError(f"its project is {project!r}: another one needs a call of its own, with --project")
        key = fields.get("partitionkey", project)
        at = parse_time(fields["time"]) if "time" in fields else time.time_ns()
        given = {name: fields[name] for name in fields.keys() - set(_TAKEN_ALONE)}
        context = merge_context(None, None, {**self._context, **given})
        data = Raw(pack_data(name, fields.get("data", {})))
        spool_class = class_of(name)
        stream, number = self._streams.get((key, spool_class), (len(self._streams), 0))
        source = f"qml://{self._writer.host}/{self._writer.nonce}/{stream}"
        packed = pack_record(SpoolRecord(stream, number, name, at, key, project, context, data), source)
        self._streams[key, spool_class] = (stream, number + 1)
        return _Packed(spool_class, packed)


def new_nonce() -> str:
    """Return the random name of a writer."""
    return os.urandom(6).hex()


def read_lines(stream: BinaryIO) -> Iterator[bytes]:
    """Yield the lines of a stream; of one that is too long only so much that it is seen to be."""
    while line := stream.readline(MAX_LINE_BYTES + 2):
        yield line
        while not line.endswith(b"\n") and (line := stream.readline(MAX_LINE_BYTES)):
            pass  # the rest of a line that is refused, or the end


def _read(line: bytes) -> dict[str, Any]:
    """Return the members of one line. Raises ValueError, TypeError, msgspec.DecodeError with what is wrong."""
    if len(line) > MAX_LINE_BYTES + 1:
        raise ValueError(f"a line has at most {MAX_LINE_BYTES} bytes")
    fields = msgspec.json.decode(line, type=dict[str, Any])
    if made := [name for name in _MADE_HERE if name in fields]:
        raise ValueError(f"{' and '.join(made)}: made here; events that have their own go to POST /api/v1/events")
    if unknown := sorted(fields.keys() - _KNOWN):
        raise ValueError(f"unknown: {', '.join(unknown)[:200]}; an event has {', '.join(sorted(_KNOWN))}")
    if "type" not in fields:
        raise ValueError("it has no type")
    if fields.get("specversion", "1.0") != "1.0":
        raise ValueError('specversion is "1.0"')
    for name in ("type", "time", "partitionkey", "project"):
        if name in fields and not isinstance(fields[name], str):
            raise TypeError(f"{name} is a text")
    return fields
