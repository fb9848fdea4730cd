"""`quantum-mlops tail`."""

import os
import time
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from qml_daemon.cli.options import ConfigOption, JsonOption

if TYPE_CHECKING:
    from qml_daemon.history import LogReader
    from quantum_mlops.events import Event
    from quantum_mlops.transports.base import Record, Stream

POLL_SECONDS = 0.2
_CHUNK = 500
_LONGEST_DATA = 160
_MOST_BYTES = 4096


class StreamName(StrEnum):
    """What there is to look at."""

    EVENTS = "events"
    FINDINGS = "findings"
    SUMMARIES = "summaries"
    DEAD_LETTERS = "dead_letters"


def show_tail(
    stream: Annotated[StreamName, typer.Argument(help="Which records.")] = StreamName.EVENTS,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with what comes; Ctrl-C ends.")] = False,
    lines: Annotated[int, typer.Option("--lines", "-n", min=0, help="How many of the last ones.")] = 10,
    ticks: Annotated[bool, typer.Option("--ticks", help="Show the service's ticks, too.")] = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show the last events, findings, summaries or dead letters; with --json one CloudEvent a line.

    \b
    Examples:
      quantum-mlops tail -f
      quantum-mlops tail findings -n 50 --json | jq .data.rule
      quantum-mlops tail dead_letters
    """
    from qml_daemon.configuration import read_config
    from qml_daemon.history import open_store
    from quantum_mlops.transports.base import Stream

    found = read_config(config, os.environ)
    reader = open_store(found)
    chosen = Stream(stream.value)
    show = _json_line if as_json else _line
    try:
        offsets = {}
        recent: list[Record] = []
        for partition in range(reader.partitions):
            offsets[partition] = reader.end(chosen, partition)
            recent += _last(reader, chosen, partition, lines, ticks=ticks)
        for record in sorted(recent, key=lambda one: one.ingestedtime)[-lines:] if lines else []:
            print(show(record))
        while follow:
            for partition, offset in offsets.items():
                records = reader.read(chosen, partition, offset, _CHUNK)
                for record in records:
                    if ticks or not _is_tick(record):
                        print(show(record), flush=True)
                    offsets[partition] = record.offset + 1
            time.sleep(POLL_SECONDS)
    except KeyboardInterrupt:
        return  # that is how following ends
    finally:
        reader.close()


def _last(reader: "LogReader", stream: "Stream", partition: int, lines: int, *, ticks: bool) -> "list[Record]":
    """Return the last records of a partition, read backwards until there are enough to show."""
    found: list[Record] = []
    start, end = reader.start(stream, partition), reader.end(stream, partition)
    while end > start and len(found) < lines:
        begin = max(start, end - _CHUNK)
        records = reader.read(stream, partition, begin, end - begin)
        found[:0] = [record for record in records if record.offset < end and (ticks or not _is_tick(record))]
        end = begin
    return found[-lines:] if lines else []


def _is_tick(record: "Record") -> bool:
    from quantum_mlops.events import Event, Tick

    return isinstance(record.event, Event) and isinstance(record.event.data, Tick)


def _json_line(record: "Record") -> str:
    import msgspec

    from quantum_mlops import codec
    from quantum_mlops.events import Event

    event = record.event
    return codec.encode(event).decode() if isinstance(event, Event) else msgspec.json.encode(event).decode()


def _line(record: "Record") -> str:
    from qml_daemon.cli.terminal import paint
    from qml_daemon.plain_text import safe
    from quantum_mlops.events import Event, short_name
    from quantum_mlops.timestamps import format_time
    from quantum_mlops.transports.base import Misplaced

    event = record.event.event if isinstance(record.event, Misplaced) else record.event
    when = paint(format_time(record.ingestedtime)[11:23], "dim")
    if not isinstance(event, Event):
        origin, key = getattr(event, "origin", "undecodable"), getattr(event, "key", None)
        name = "" if key is None else safe(f"({key[0]}, {key[1]})")
        data = _shorten(safe(event.data[:_MOST_BYTES].decode("utf-8", "replace")))
        return " ".join(part for part in (when, paint(origin, "red"), safe(event.reason), name, data) if part)
    context = event.context
    places = (("run", context.runid), ("step", context.step), ("experiment", context.experimentid))
    where = " ".join(f"{name}={safe(str(value))}" for name, value in places if value is not None)
    short = _shorten(safe(_text(event)))
    name = paint(f"{short_name(event.type) or safe(event.type):<20}", "bold")
    return " ".join(part for part in (when, name, safe(event.partitionkey), where, short) if part)


def _text(event: "Event") -> str:
    import msgspec

    from quantum_mlops import codec
    from quantum_mlops.events import SummaryMade
    from quantum_mlops.timestamps import format_time

    encoded = codec.encode_data(event.data)
    if not isinstance(event.data, SummaryMade):
        return encoded.decode("utf-8", "replace")
    # The window as people read it, and what it holds; where it comes from stands before it.
    start, end = (format_time(moment)[:19].replace("T", " ") for moment in (event.data.start, event.data.end))
    told = {name: value for name, value in msgspec.json.decode(encoded).items() if name not in {"start", "end"}}
    return f"{start} to {end if start[:10] != end[:10] else end[11:]} {msgspec.json.encode(told).decode()}"


def _shorten(text: str) -> str:
    return text if len(text) <= _LONGEST_DATA else text[: _LONGEST_DATA - 1] + "…"
