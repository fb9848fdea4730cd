"""What `doctor` says of the HTTP service: its tokens, and whether it answers where the status says it is."""

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import httpx

from qml_daemon.http.address import OFF
from qml_daemon.http.token_file import read_tokens
from quantum_mlops.config.sections import Config
from quantum_mlops.errors import ConfigError

TIMEOUT_SECONDS = 3.0
Line = tuple[str, Literal["ok", "note", "fail"], str]


def report_http(config: Config, url: str | None) -> Iterator[Line]:
    """Yield (name, verdict, text); `url` is the address of a running daemon's service, None where there is none."""
    section = config.http
    if section.tokens_file is not None:
        try:
            tokens = read_tokens(Path(section.tokens_file))
        except ConfigError as error:
            yield "tokens", "fail", str(error).removeprefix("http.tokens_file: ")
        else:
            mend = "" if tokens else "; nobody gets in, make one: quantum-mlops token add"
            yield "tokens", "ok" if tokens else "note", f"{section.tokens_file}: {len(tokens)}{mend}"
    if url is None:
        text = "off" if section.listen == OFF else f"{section.listen}, when the daemon runs"
        yield "http", "ok", text
        return
    try:
        with httpx.Client(timeout=TIMEOUT_SECONDS, trust_env=False) as client:
            answer = client.get(f"{url}/-/ready", headers={"Host": "localhost"})
    except httpx.HTTPError as error:
        yield "http", "fail", f"{url} does not answer: {error}"
        return
    if answer.is_success:
        yield "http", "ok", f"{url} is ready"
    else:
        yield "http", "fail", f"{url} answers {answer.status_code}: {answer.text[:300]}"
