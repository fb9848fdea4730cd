"""Checkpoint rows: what the log keeps of a series, a source, an open finding and a config.

Keys are msgpack arrays whose first element names the kind. A row of a series or a source holds the
watermark position at which it is current; these rows are packed in segments (see `segments`).
"""

from typing import Any

import msgspec
from msgspec import Raw, Struct

from qml_processors.runner.duplicates import Source
from qml_processors.runner.outputs import IndexKey
from qml_processors.runner.position import Position
from qml_processors.runner.rules_schedule import Config
from qml_processors.runner.series import OpenFinding, Series

SERIES, COUNTED, FOREIGN, OPEN, CONFIG, SEGMENT = "s", "d", "f", "o", "c", "g"
NOTHING = Raw(b"\xc0")
"""The state of a tombstone."""


class SeriesRow(Struct, frozen=True, array_like=True, gc=False):
    """One series as at position `at`; `version` is that of the processor's state."""

    at: Position
    version: int
    state: Raw
    last: int
    source: str
    id: str
    openings: int
    late: bool
    project: str
    errors: int
    error_last: int
    open: dict[str, OpenFinding]


class SourceRow(Struct, frozen=True, array_like=True, gc=False):
    """What is remembered of a source after the record at offset `at`."""

    at: int
    last: int
    content: Raw


encode = msgspec.msgpack.Encoder().encode
decode_key = msgspec.msgpack.Decoder(list[Any]).decode
decode_series = msgspec.msgpack.Decoder(SeriesRow).decode
decode_source = msgspec.msgpack.Decoder(SourceRow).decode
decode_segment = msgspec.msgpack.Decoder(list[tuple[bytes, bytes]]).decode
decode_spans = msgspec.msgpack.Decoder(list[int]).decode
decode_ids = msgspec.msgpack.Decoder(list[tuple[str, int]]).decode
decode_open = msgspec.msgpack.Decoder(OpenFinding).decode
decode_config = msgspec.msgpack.Decoder(Config).decode


def series_key(series: Series) -> bytes:
    """Return the key of a series' row."""
    return encode((SERIES, *series.address))


def series_row(series: Series, at: Position) -> bytes:
    """Return a series' row, current at `at`; a tombstone where its state is gone."""
    state = NOTHING if series.state is None else Raw(series.slot.encode(series.state))
    return encode(
        SeriesRow(
            at,
            series.slot.version,
            state,
            series.last,
            series.source,
            series.id,
            series.openings,
            series.late,
            series.project,
            series.errors,
            series.error_last,
            series.open,
        )
    )


def source_key(source: Source) -> bytes:
    """Return the key of a source's row."""
    return encode((source.kind, *source.key))


def source_row(source: Source, at: int) -> bytes:
    """Return a source's row, current after the duplicate check of the record at offset `at`."""
    return encode(SourceRow(at, source.last, Raw(encode(source.content()))))


def segment_key(number: int) -> bytes:
    """Return the key of a segment of rows."""
    return encode((SEGMENT, number))


def open_key(key: IndexKey) -> bytes:
    """Return the key of an entry of the index of open findings."""
    return encode((OPEN, *key))


def config_key(config: Config) -> bytes:
    """Return the key of a config's row."""
    return encode((CONFIG, *config.key))
