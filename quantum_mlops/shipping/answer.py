"""What a service answered, and whether sending again can help: the one place where that is decided.

    2xx in the protocol   acknowledged, but for the events it names as rejected
    413; 400, 422 as a problem document
                          this batch: its parts may fare better (`BatchRefusedError`)
    408, 425, 429, 5xx    later (`RetryableError`, with what Retry-After says)
    all other             not before a person mends something (`PermanentError`)

A 2xx that is not in the protocol comes from somebody else (a captive portal, a wrong address) and
acknowledges nothing.

Source: RFC 9110, sections 10.2.3 and 15; RFC 9457 (problem details).
"""

from collections.abc import Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime

import msgspec
from msgspec import Struct

from quantum_mlops.errors import DeliveryError, PermanentError, RetryableError

LONGEST_RETRY_AFTER_SECONDS = 900.0
_PROBLEM = "application/problem+json"
_RETRYABLE = frozenset((408, 425, 429))
_TOO_LARGE = 413
_BATCH = frozenset((400, 422))
_MENDS = {
    401: "it wants a valid token: set QML_TOKEN or QML_TOKEN_FILE",
    403: "the token may not send events: it needs the scope ingest",
    404: "no quantum-mlops service is there: check the address",
    405: "no quantum-mlops service is there: check the address",
    415: "no quantum-mlops service is there, or an older one: check the address",
}


class Rejected(Struct, frozen=True):
    """One event of a batch that the service will never take. `index` counts from 0."""

    index: int
    id: str | None = None
    reason: str = ""


class _Accepted(Struct, frozen=True):
    accepted: int
    rejected: list[Rejected] = []


class _Problem(Struct, frozen=True):
    title: str = ""
    detail: str = ""
    rejected: list[Rejected] = []


class BatchRefusedError(DeliveryError):
    """The batch as a whole was refused. `too_large` says that a smaller one may pass."""

    def __init__(self, reason: str, *, too_large: bool) -> None:
        super().__init__(reason)
        self.too_large = too_large


def judge(status: int, headers: Mapping[str, str], body: bytes, sent: int, now: float) -> list[Rejected]:
    """Return the rejected events of a batch of `sent`; all others are acknowledged.

    `headers` are looked up in lower case; `now` is seconds since 1970.

    Raises:
        RetryableError: later.
        BatchRefusedError: not in one piece.
        PermanentError: not before a person mends something.

    """
    if 200 <= status < 300:  # noqa: PLR2004 - the class of success
        return _acknowledged(body, sent)
    problem = _problem(headers, body)
    said = f"answered {status}" + (f" ({_one_line(problem.detail or problem.title)})" if problem else "")
    if status in _RETRYABLE or status >= 500:  # noqa: PLR2004 - the class of the server's own faults
        raise RetryableError(said, retry_after_seconds(headers.get("retry-after"), now))
    if status == _TOO_LARGE:  # also of a proxy in between, without our words
        raise BatchRefusedError(said, too_large=True)
    if status in _BATCH and problem is not None:  # only in our words: a wrong address must not eat the spool
        if _fits(problem.rejected, sent) and len(problem.rejected) == sent:
            return problem.rejected
        raise BatchRefusedError(said, too_large=False)
    raise PermanentError(f"{said}: {_MENDS.get(status, 'check the address')}")


def retry_after_seconds(text: str | None, now: float) -> float | None:
    """Return how long to wait, at most 15 minutes; None where the header is absent or says nothing.

    >>> retry_after_seconds("120", 0.0)
    120.0
    >>> retry_after_seconds("Thu, 01 Jan 1970 00:01:00 GMT", 0.0)
    60.0
    """
    if text is None:
        return None
    try:
        wait = float(int(text))
    except ValueError:
        try:
            at = parsedate_to_datetime(text)
        except ValueError:
            return None
        wait = (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() - now
    return min(max(0.0, wait), LONGEST_RETRY_AFTER_SECONDS)


def _acknowledged(body: bytes, sent: int) -> list[Rejected]:
    try:
        answer = msgspec.json.decode(body, type=_Accepted)
    except (msgspec.DecodeError, RecursionError):
        raise PermanentError("answered in other words than quantum-mlops: check the address") from None
    if not _fits(answer.rejected, sent) or answer.accepted + len(answer.rejected) != sent:
        raise PermanentError(
            f"acknowledged {answer.accepted} and rejected {len(answer.rejected)} of {sent} events: check the address"
        )
    return answer.rejected


def _fits(rejected: list[Rejected], sent: int) -> bool:
    indices = {one.index for one in rejected}
    return len(indices) == len(rejected) and all(0 <= index < sent for index in indices)


def _problem(headers: Mapping[str, str], body: bytes) -> _Problem | None:
    if headers.get("content-type", "").partition(";")[0].strip().lower() != _PROBLEM:
        return None
    try:
        return msgspec.json.decode(body, type=_Problem)
    except (msgspec.DecodeError, RecursionError):
        return None


def _one_line(text: str) -> str:
    return "".join(one if one.isprintable() else "?" for one in " ".join(text.split()))[:200]
