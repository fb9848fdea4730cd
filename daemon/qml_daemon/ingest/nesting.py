"""How deep a JSON text nests, told from its bytes before anything is decoded."""

import re

MAX_DEPTH = 32
_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*"?|[\[{]|[\]}]', re.DOTALL)


def nests_deeper(data: bytes, limit: int = MAX_DEPTH) -> bool:
    """Return whether objects and lists nest deeper than `limit`. Text that is no JSON may be told either way.

    >>> nests_deeper(b"[[[]]]", 2), nests_deeper(b"[[], [], []]", 2), nests_deeper(b'["[[["]', 2)
    (True, False, False)
    """
    if data.count(b"[") + data.count(b"{") <= limit:
        return False  # nearly all events: they do not have that many at all
    depth = 0
    for token in _TOKEN.finditer(data):
        first = data[token.start()]
        if first in b"[{":
            depth += 1
            if depth > limit:
                return True
        elif first in b"]}":
            depth -= 1
    return False
