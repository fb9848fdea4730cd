"""Posts batches of events over one connection that stays open: `http.client`, TLS always verified.

Not thread-safe. `abandon` is for a forked child: it lets go of the parent's connection without a
word on the wire.
"""

import gzip
import http.client
import os
import re
import socket
import ssl
import time
from collections.abc import Mapping

from quantum_mlops.errors import ConfigError, PermanentError, RetryableError
from quantum_mlops.shipping.address import Address, Credential
from quantum_mlops.shipping.answer import Rejected, judge
from quantum_mlops.version import __version__

CONTENT_TYPE = "application/cloudevents-batch+json"
VERSION_HEADER = "QML-Version"
CONNECT_SECONDS, ANSWER_SECONDS = 10.0, 30.0
MAX_ANSWER_BYTES = 4 * 1024 * 1024
_COMPRESSION = 3
_MIN_GZIP_BYTES = 512
_STALE = (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError)


class Client:
    """One service. Connects at the first post; blocks at most 10 s to connect and `answer_seconds` for an answer."""

    def __init__(self, address: Address, credential: Credential, answer_seconds: float = ANSWER_SECONDS) -> None:
        self.address = address
        self._answer_seconds = answer_seconds
        self._credential = credential
        self._connection: http.client.HTTPConnection | None = None
        self._tls: ssl.SSLContext | None = None

    def post(self, events: list[bytes]) -> list[Rejected]:
        """Send the JSON of events as one batch; return those that the service rejects, all others are acknowledged.

        Raises:
            RetryableError: not reachable, or it says later. Part of the batch may have arrived.
            BatchRefusedError: not in one piece.
            PermanentError: not before a person mends something.

        """
        return self._send(events)[0]

    def check(self) -> str | None:
        """Send a batch of no events; return the version that the service tells, None where it tells none.

        Raises:
            DeliveryError: as `post`; events would not be taken either.

        """
        version = self._send([])[1].get(VERSION_HEADER.lower(), "")
        return version if re.fullmatch(r"[\w.+-]{1,40}", version, re.ASCII) else None

    def _send(self, events: list[bytes]) -> tuple[list[Rejected], dict[str, str]]:
        body = b"[" + b",".join(events) + b"]"
        headers = {
            "Content-Type": CONTENT_TYPE,
            "Accept": "application/json",
            "User-Agent": f"quantum-mlops/{__version__}",
        }
        if len(body) >= _MIN_GZIP_BYTES:
            body = gzip.compress(body, _COMPRESSION, mtime=0)
            headers["Content-Encoding"] = "gzip"
        try:
            token = self._credential.read()
        except ConfigError as error:
            raise PermanentError(str(error)) from None
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        status, answered, answer = self._exchange(body, headers)
        return judge(status, answered, answer, len(events), time.time()), answered

    def close(self) -> None:
        """Close the connection; idempotent."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def abandon(self) -> None:
        """Release the connection's file in a forked child, so that nothing is said on the parent's wire."""
        connection, self._connection = self._connection, None
        sock = None if connection is None else connection.sock
        if sock is not None and (number := sock.detach()) >= 0:
            os.close(number)

    def _exchange(self, body: bytes, headers: Mapping[str, str]) -> tuple[int, dict[str, str], bytes]:
        fresh = self._connection is None or self._connection.sock is None
        try:
            try:
                return self._request(body, headers)
            except _STALE:
                if fresh:
                    raise
                self.close()  # a connection that the other side closed while it was idle
                return self._request(body, headers)
        except ssl.SSLCertVerificationError as error:
            self.close()
            raise PermanentError(f"its certificate does not verify: {error.verify_message}") from None
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise RetryableError(_describe(error)) from None
        except BaseException:
            self.close()  # half an exchange must not be taken for the next one's
            raise

    def _request(self, body: bytes, headers: Mapping[str, str]) -> tuple[int, dict[str, str], bytes]:
        connection = self._connection or self._connect()
        connection.request("POST", self.address.path, body, dict(headers))
        response = connection.getresponse()
        answer = response.read(MAX_ANSWER_BYTES)
        if not response.isclosed():
            self.close()  # there is more than any answer of ours
        return response.status, {name.lower(): value for name, value in response.getheaders()}, answer

    def _connect(self) -> http.client.HTTPConnection:
        host, port = self.address.host, self.address.port
        connection: http.client.HTTPConnection
        if self.address.scheme == "https":
            self._tls = self._tls or ssl.create_default_context()
            connection = http.client.HTTPSConnection(host, port, timeout=CONNECT_SECONDS, context=self._tls)
        else:
            connection = http.client.HTTPConnection(host, port, timeout=CONNECT_SECONDS)
        connection.connect()
        connection.sock.settimeout(self._answer_seconds)
        connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._connection = connection
        return connection


def _describe(error: Exception) -> str:
    """Return the reason without what a server wrote: that may be anything."""
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, OSError):
        return f"cannot be reached: {error.strerror or type(error).__name__}"
    return f"broke off: {type(error).__name__}"
