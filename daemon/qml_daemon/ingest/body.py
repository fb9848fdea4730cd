"""A request's body, bounded: in bytes, in time, and after decompression."""

import asyncio
import zlib

from starlette.requests import ClientDisconnect, Request

from qml_daemon.http.problem import Problem

MAX_BODY_BYTES = 4 * 1024 * 1024
MAX_HELD_BYTES = 32 * 1024 * 1024
READ_SECONDS = 30.0
_GZIP = 16 + zlib.MAX_WBITS


class Bodies:
    """Reads bodies; all that are being read together hold at most `max_held_bytes`. For one event loop."""

    def __init__(self, max_held_bytes: int = MAX_HELD_BYTES, read_seconds: float = READ_SECONDS) -> None:
        self._room = max_held_bytes
        self._read_seconds = read_seconds

    async def read(self, request: Request) -> bytes:
        """Return the body, decompressed.

        Raises:
            Problem: 400 no gzip, 408 too slow, 413 too large, 415 another encoding, 503 no room now.

        """
        encoding = request.headers.get("content-encoding", "identity").lower()
        if encoding not in {"identity", "gzip"}:
            raise Problem(415, f"the encoding {encoding[:40]!r} is not read here, gzip is", {"Accept-Encoding": "gzip"})
        length = request.headers.get("content-length", "")
        if length.isdecimal() and int(length[:20]) > MAX_BODY_BYTES:
            raise _too_large("")
        body = await self._collect(request)
        return body if encoding == "identity" else gunzip(body)

    async def _collect(self, request: Request) -> bytes:
        parts: list[bytes] = []
        size = 0
        try:
            async with asyncio.timeout(self._read_seconds):
                async for chunk in request.stream():
                    size += len(chunk)
                    self._room -= len(chunk)
                    parts.append(chunk)
                    if size > MAX_BODY_BYTES:
                        raise _too_large("")
                    if self._room < 0:
                        raise Problem(503, "too many large requests at once", {"Retry-After": "1"})
        except TimeoutError:
            raise Problem(408, f"the body did not come within {self._read_seconds:.0f} s") from None
        except ClientDisconnect:
            raise Problem(400, "the body ended early") from None
        finally:
            self._room += size
        return b"".join(parts)


def gunzip(body: bytes) -> bytes:
    """Return what a gzip body holds; never more than the limit is unpacked.

    Raises:
        Problem: 400 it is no gzip or damaged, 413 it unpacks to more than 4 MiB.

    >>> import gzip
    >>> gunzip(gzip.compress(b"[]"))
    b'[]'

    """
    unpacker = zlib.decompressobj(_GZIP)
    try:
        data = unpacker.decompress(body, MAX_BODY_BYTES + 1)
    except zlib.error as error:
        raise Problem(400, f"the body is not gzip: {error}") from None
    if len(data) > MAX_BODY_BYTES:
        raise _too_large(" unpacked")
    if not unpacker.eof:
        raise Problem(400, "the gzip body ends early")
    if unpacker.unused_data:
        raise Problem(400, "something follows the gzip body")
    return data


def _too_large(what: str) -> Problem:
    return Problem(413, f"a body is at most {MAX_BODY_BYTES} bytes{what}; send smaller batches")
