"""A receiver on this machine that speaks Slack's incoming-webhook protocol and keeps what it takes.

    python -m qml_daemon.demo.receiver FOLDER

Writes its address to FOLDER/slack-url and each message, with the time, to FOLDER/messages.jsonl. Refuses
what Slack would refuse, in Slack's words.
"""

import json
import secrets
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from qml_daemon.demo.slack_rules import find_refusal

MAX_BODY_BYTES = 256 * 1024
ADDRESS = "slack-url"
MESSAGES = "messages.jsonl"


class Receiver(ThreadingHTTPServer):
    """The server; `path` is the secret part of its address."""

    daemon_threads = True

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.folder = folder
        self.secret_path = f"/services/{secrets.token_hex(12)}"
        draft = folder / f".{ADDRESS}"
        draft.touch(mode=0o600)
        draft.write_text(f"http://127.0.0.1:{self.server_address[1]}{self.secret_path}\n", encoding="utf-8")
        draft.replace(folder / ADDRESS)


class _Handler(BaseHTTPRequestHandler):
    server: Receiver
    timeout = 10

    def do_POST(self) -> None:
        if self.path != self.server.secret_path:
            self._answer(404, "no_service")
            return
        try:
            length = min(int(self.headers.get("Content-Length", "0")), MAX_BODY_BYTES)
            payload: Any = json.loads(self.rfile.read(length))
        except ValueError:
            self._answer(400, "invalid_payload")
            return
        refusal = find_refusal(payload)
        if refusal is not None:
            self._answer(400, refusal)
            return
        line = json.dumps({"time": time.time_ns(), "message": payload}) + "\n"
        with (self.server.folder / MESSAGES).open("a", encoding="utf-8") as messages:
            messages.write(line)
        self._answer(200, "ok")

    def _answer(self, status: int, word: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(word)))
        self.end_headers()
        self.wfile.write(word.encode())

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name of the base class
        """Keep quiet: the messages are the log, and the address is a secret."""


def main() -> None:
    """Serve until killed."""
    Receiver(Path(sys.argv[1])).serve_forever()


if __name__ == "__main__":
    main()
