"""How an event goes back in: through the running daemon, which alone writes its log, else into the log itself."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from msgspec import Raw

from qml_daemon.dead_letters.retry import Door
from qml_daemon.http.token_file import EVERY_PROJECT, TokenFile
from qml_daemon.ingest.batch import BATCH_CONTENT_TYPE
from quantum_mlops.codec import encode
from quantum_mlops.config.sections import Config
from quantum_mlops.errors import UserError
from quantum_mlops.events import Event
from quantum_mlops.shipping.address import Credential
from quantum_mlops.transports.base import Log

Call = Callable[..., Any]
_PATH = "/api/v1/events"


def daemon_door(config: Config, call: Call) -> Door:
    """Return the daemon's own door. `call` is `call_daemon`.

    Raises (when used):
        UserError: the token may write one project only and an event has another: it would be given to that one.

    """
    project = _project_of_token(config)

    def put(events: Sequence[Event]) -> dict[int, str]:
        if project is not None and (others := sorted({event.project for event in events} - {project})):
            raise UserError(
                f"the token writes to {project!r} only, and there are events of {', '.join(map(repr, others))}; "
                "give one of every project by QML_TOKEN or QML_TOKEN_FILE"
            )
        body = [Raw(encode(event)) for event in events]
        answer = call(config, "POST", _PATH, body, BATCH_CONTENT_TYPE)
        return {one["index"]: one["reason"] for one in answer["rejected"]}

    return put


def log_door(log: Log) -> Door:
    """Return the log itself, where no daemon has it."""

    def put(events: Sequence[Event]) -> dict[int, str]:
        log.append(events)
        return {}

    return put


def _project_of_token(config: Config) -> str | None:
    """Return the one project that the caller's token may write; None: every project, or there are no tokens."""
    secret = Credential(os.environ).read()
    if config.http.tokens_file is None or secret is None:
        return None
    token = TokenFile(Path(config.http.tokens_file)).find(secret)
    return None if token is None or token.project == EVERY_PROJECT else token.project
