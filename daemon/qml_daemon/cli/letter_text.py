"""A dead letter as lines of text: its bytes as JSON where they are, else in hexadecimal, never without end."""

from collections.abc import Iterator

import msgspec

from qml_daemon.cli.finding_text import utc
from qml_daemon.cli.terminal import paint
from qml_daemon.dead_letters.letter import Letter
from qml_daemon.plain_text import safe

MOST_JSON_LINES = 400
MOST_LINE = 400
MOST_HEX_BYTES = 2048
_HEX_ROW = 16


def letter_lines(letter: Letter, stays: str | None) -> Iterator[str]:
    """Yield all of a letter. `stays` is why it cannot go back in, None: it can."""
    yield f"{paint(letter.id, 'bold')} {paint(safe(letter.origin), 'red')} at {utc(letter.time)}"
    yield f"reason: {safe(letter.reason)}"
    if letter.key is not None:
        yield f"event: {safe(letter.key[0])} {safe(letter.key[1])}"
    if letter.retried is not None:
        yield f"put back in: {utc(letter.retried)}"
    if stays is None:
        yield f"it can go back in: quantum-mlops dead-letters retry {letter.id}"
    else:
        yield f"it stays: {safe(stays)}"
    yield f"{len(letter.data):,} bytes:"
    yield from data_lines(letter.data)


def data_lines(data: bytes) -> Iterator[str]:
    """Yield bytes for people.

    >>> list(data_lines(b'{"a":[]}'))
    ['{', '  "a": []', '}']
    >>> list(data_lines(bytes([255, 65])))
    ['00000000  ff 41                                            |.A|']
    """
    try:
        text = msgspec.json.format(data, indent=2).decode()
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        yield from _hex_lines(data)
        return
    lines = text.split("\n")
    yield from (_cut(line) for line in lines[:MOST_JSON_LINES])
    if len(lines) > MOST_JSON_LINES:
        yield f"… {len(lines) - MOST_JSON_LINES} more lines; all of it with --json"


def _cut(line: str) -> str:
    indent = line[: len(line) - len(line.lstrip(" "))]
    text = safe(line)
    return indent + (text if len(text) <= MOST_LINE else f"{text[:MOST_LINE]}… ({len(text)} characters)")


def _hex_lines(data: bytes) -> Iterator[str]:
    for at in range(0, min(len(data), MOST_HEX_BYTES), _HEX_ROW):
        row = data[at : at + _HEX_ROW]
        shown = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in row)  # noqa: PLR2004 - printable ASCII
        yield f"{at:08x}  {row.hex(' '):<47}  |{shown}|"
    if len(data) > MOST_HEX_BYTES:
        yield f"… {len(data) - MOST_HEX_BYTES:,} more bytes; all of it with --json"
