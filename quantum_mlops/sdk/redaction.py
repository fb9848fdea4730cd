"""Secrets in messages of exceptions, which are the user's and may quote a header, an address or a setting."""

import re
from typing import Final

_MAX_MESSAGE: Final = 2000
_READ: Final = 4000  # of a message; a secret that is cut off at the end of this is not in what is kept
_SECRET: Final = re.compile(
    r"(?i)(\b(?:apikey|bearer)\s+|\bbasic\s+(?=[a-z0-9+/=_-]{16})"
    r"|(?:token|secret|password|api[_-]?key|access[_-]?key|signature|credential)[\w-]{0,32}['\"]?\s*[=:]\s*['\"]?)"
    r"[^\s'\",;&]+|(?<=://)[^/\s@'\"]+(?=@)"
)


def message_of(error: BaseException) -> str:
    """Return the message of an exception, at most 2000 characters, without what looks like a secret. Never raises.

    >>> message_of(ValueError("bad character in header value: 'apiKey 1234567890'"))
    "bad character in header value: 'apiKey [redacted]'"
    >>> message_of(OSError("no host https://ann:pass@example.org/?token=12"))
    'no host https://[redacted]@example.org/?token=[redacted]'
    """
    try:
        text = str(error)[:_READ].encode(errors="replace").decode()
    except Exception:  # noqa: BLE001 - a user's own __str__; the kind of error is known anyway
        return ""
    return _SECRET.sub(lambda found: f"{found[1] or ''}[redacted]", text)[:_MAX_MESSAGE]
