"""Where a page ended, as opaque text. It holds the list's name, so that it is not taken for another list's."""

import base64
import binascii

import msgspec
from msgspec import Struct

from qml_daemon.http.problem import Problem
from qml_daemon.query.parameters import refuse


class Cursor(Struct, frozen=True, array_like=True):
    """The list, the birth of the views that it is of, and the last row's order and key."""

    kind: str
    birth: str
    order: int
    key: int | str


def write_cursor(cursor: Cursor) -> str:
    """Return the text.

    >>> read_cursor(write_cursor(Cursor("runs", "0a", 5, 7)), "runs", "0a").key
    7
    """
    return base64.urlsafe_b64encode(msgspec.msgpack.encode(cursor)).decode().rstrip("=")


def read_cursor(text: str, kind: str, birth: str) -> Cursor:
    """Return the cursor of a list.

    Raises:
        Problem: 400, it is none of this list, or the views were made anew since.

    """
    try:
        found = msgspec.msgpack.decode(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)), type=Cursor)
    except (binascii.Error, ValueError, msgspec.DecodeError) as error:
        raise _refuse("not one that this service gave") from error
    if found.kind != kind:
        raise _refuse("of another list")
    if found.birth != birth:
        raise _refuse("of views that were made anew since")
    if not -(2**63) <= found.order < 2**63 or (isinstance(found.key, int) and not 0 <= found.key < 2**63):
        raise _refuse("not one that this service gave")
    return found


def _refuse(why: str) -> Problem:
    return refuse("cursor", f"{why}; leave it out to begin with the newest")
