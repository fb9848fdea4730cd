"""The running daemon, asked over its own HTTP API: commands that change something have one writer."""

import os
from typing import Any

import httpx
import msgspec

from qml_daemon.places import STATUS
from qml_daemon.status import read_status
from quantum_mlops.config.sections import Config
from quantum_mlops.errors import QuantumMlopsError, UserError
from quantum_mlops.shipping.address import Credential

_TIMEOUT_SECONDS = 10.0


def call_daemon(
    config: Config, method: str, path: str, body: object = None, content_type: str = "application/json"
) -> Any:
    """Return the decoded answer of the daemon that works on `config`'s state folder.

    The token comes from QML_TOKEN or QML_TOKEN_FILE, where the service has tokens.

    Raises:
        UserError: no daemon answers there, or it refuses.
        ConfigError: the token cannot be read.
        QuantumMlopsError: it failed.

    """
    status = read_status(config.state_dir / STATUS)
    if status is None or status.state != "ready" or status.http is None:
        raise UserError(f"no daemon with HTTP runs on {config.state_dir}; start it: quantum-mlops daemon")
    headers = {"Content-Type": content_type}
    if (token := Credential(os.environ).read()) is not None:
        headers["Authorization"] = f"Bearer {token}"
    content = None if body is None else msgspec.json.encode(body)
    try:
        with httpx.Client(timeout=_TIMEOUT_SECONDS, trust_env=False) as client:
            answer = client.request(method, status.http + path, content=content, headers=headers)
    except httpx.HTTPError as error:
        raise UserError(f"the daemon at {status.http} does not answer ({error}); see: quantum-mlops doctor") from error
    if answer.is_success:
        return msgspec.json.decode(answer.content) if answer.content else None
    try:
        detail = msgspec.json.decode(answer.content)["detail"]
    except (msgspec.DecodeError, KeyError, TypeError):
        detail = answer.reason_phrase
    if answer.status_code in {401, 403}:
        raise UserError(f"{detail}; give a token by QML_TOKEN or QML_TOKEN_FILE")
    if answer.is_client_error:
        raise UserError(str(detail))
    raise QuantumMlopsError(f"the daemon answered {answer.status_code}: {detail}")
