"""What `doctor` says of events that wait in a spool for a service: nobody but a shipper sends them."""

import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from quantum_mlops.shipping.address import OUTGOING
from quantum_mlops.shipping.position import SHIPPING
from quantum_mlops.shipping.rejects import FILE
from quantum_mlops.spool.segment import SUFFIX

Line = tuple[str, Literal["ok", "note", "fail"], str]


def report_shipping(spool: Path) -> Iterator[Line]:
    """Yield (name, verdict, text) of each folder below `spool` whose events are for a service.

    A segment is removed when the service has it, so what is there was not sent, or only in part.
    """
    yield from _report_rejected(spool)
    try:
        names = sorted(name for name in os.listdir(spool) if name.startswith(OUTGOING))  # noqa: PTH208 - hides errors
    except OSError:  # the spool's own examination says why
        return
    for name in names:
        folder = spool / name
        try:
            sizes = [path.stat().st_size for path in folder.iterdir() if path.name.endswith(SUFFIX)]
        except FileNotFoundError:  # a shipper sent its last segment meanwhile
            continue
        except OSError as error:
            yield "unsent", "note", f"{folder}: cannot be read: {error.strerror}"
            continue
        if sizes:
            text = f"{folder}: {len(sizes)} segments, {_kibibytes(sum(sizes))}, not all of it sent; programs that run"
            yield "unsent", "note", f"{text} send it, else: quantum-mlops ship --once --spool {folder} --target URL"
        yield from _report_rejected(folder)


def _report_rejected(spool: Path) -> Iterator[Line]:
    path = spool / SHIPPING / FILE
    try:
        size = path.stat().st_size
    except OSError:  # nothing was ever rejected, or the folder's own line says that it cannot be read
        return
    yield "rejected", "note", f"{path}: {_kibibytes(size)} of events that the service refused, with the reasons"


def _kibibytes(size_bytes: int) -> str:
    return f"{math.ceil(size_bytes / 1024)} KiB"
