"""How far Kafka's partitions are, and how far a transfer is, as text."""

import sys
import time
from collections.abc import Iterator

from qml_daemon.cli.terminal import paint
from qml_daemon.kafka.progress import PartitionProgress, Progress
from qml_daemon.plain_text import safe
from quantum_mlops.clock import SECOND
from quantum_mlops.timestamps import format_time

_TELL_SECONDS = 0.2


def progress_lines(progress: Progress, now: int) -> Iterator[str]:
    """Yield a table of the partitions and what they come to."""
    head = ("partition", "owner", "processed", "until", "end", "lag", "states")
    rows = [_cells(one, now) for one in progress.partitions]
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]
    yield paint("  ".join(cell.ljust(width) for cell, width in zip(head, widths, strict=True)).rstrip(), "dim")
    for one, row in zip(progress.partitions, rows, strict=True):
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
        if one.owner is None:
            cells[1] = paint(cells[1], "red")
        yield "  ".join(cells).rstrip()
    owned = sum(one.owner is not None for one in progress.partitions)
    yield (
        f"group {safe(progress.group)}: {owned} of {len(progress.partitions)} partitions owned, lag {progress.lag:,}"
        + (f", without a partition: {', '.join(map(safe, progress.idle))}" if progress.idle else "")
    )


def _cells(one: PartitionProgress, now: int) -> tuple[str, ...]:
    owner = "nobody" if one.owner is None else safe(f"{one.owner} ({one.host})")
    when = "never" if one.time is None else f"{format_time(one.time)[:19].replace('T', ' ')} ({ago(now - one.time)})"
    states = "" if one.rows is None or one.row_bytes is None else f"{one.rows:,} rows, {size_text(one.row_bytes)}"
    return (
        str(one.partition),
        owner,
        "none" if one.processed is None else str(one.processed),
        when,
        str(one.end),
        str(one.lag),
        states,
    )


def ago(nanoseconds: int) -> str:
    """Return how long ago something was.

    >>> ago(12 * 10**9), ago(3 * 86400 * 10**9)
    ('12 s ago', '3 d ago')
    """
    seconds = max(0, nanoseconds // SECOND)
    for name, size in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds // size} {name} ago"
    return f"{seconds} s ago"


def size_text(size_bytes: int) -> str:
    """Return a size as people read it.

    >>> size_text(700), size_text(5_000_000)
    ('0.7 KiB', '4.8 MiB')
    """
    return f"{size_bytes / 2**10:.1f} KiB" if size_bytes < 2**20 else f"{size_bytes / 2**20:.1f} MiB"


class Progressed:
    """Tells how far a transfer is: in one line on a terminal, else a line when a part is done."""

    def __init__(self) -> None:
        self._told = 0.0
        self._part: str | None = None

    def close(self) -> None:
        """End the line."""
        if self._part is not None and sys.stderr.isatty():
            print(file=sys.stderr)

    def __call__(self, what: str, done: int, total: int) -> None:
        """See `qml_processors.transfer.job.Tell`."""
        whole = done >= total
        name = what.replace("_", " ")
        if sys.stderr.isatty():
            if whole or what != self._part or time.monotonic() - self._told >= _TELL_SECONDS:
                self._told = time.monotonic()
                print(f"\r\033[K{name}: {done / max(total, 1):4.0%} of {total:,}", end="", file=sys.stderr, flush=True)
        elif whole:
            print(f"{name}: {total:,}", file=sys.stderr)
        self._part = what
