"""What the outbox says of deliveries, read beside the running daemon."""

import sqlite3
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from qml_daemon.delivery.store import connect
from qml_daemon.notification import Notification
from quantum_mlops.config.load import is_file
from quantum_mlops.transports.schema import log_error


class Delivery(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One notification to one receiver. `status` is waiting, sent or failed; times are nanoseconds UTC."""

    receiver: str
    kind: str
    status: str
    created: int
    attempts: int
    settled: int | None = None
    error: str | None = None
    findings: list[str]


def read_deliveries(path: Path) -> list[Delivery]:
    """Return all deliveries that the outbox still holds, the oldest first; none where there is no outbox.

    Raises:
        LogError: the file cannot be read; ConfigError: it cannot be looked at.

    """
    sql = "SELECT receiver, kind, status, created, attempts, settled, error, body FROM outbox ORDER BY number"
    decode = msgspec.msgpack.Decoder(Notification).decode
    return [
        Delivery(
            receiver=receiver,
            kind=kind,
            status=status,
            created=created,
            attempts=attempts,
            settled=settled,
            error=error,
            findings=[alert.finding_id for alert in decode(body).alerts],
        )
        for receiver, kind, status, created, attempts, settled, error, body in read_outbox(path, sql)
    ]


def read_outbox(path: Path, sql: str) -> list[Any]:
    """Return the rows of a question to the outbox's file; none where there is no file. Raises as `read_deliveries`."""
    if not is_file(path):
        return []
    try:
        connection = connect(path, "ro")
        try:
            return connection.execute(sql).fetchall()
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise log_error(error, path) from error
