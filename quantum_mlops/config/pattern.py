r"""Regular expressions of users, which must not take for ever: who may set one could stop the daemon with `(a+)+$`.

Python's matcher goes back over every way in which a pattern can fit a text. Here the ways are counted from the
pattern's parts beforehand: alternatives add, what follows each other multiplies.

Source: J. Friedl, "Mastering Regular Expressions", chapter 6 (exponential matches).
"""

import re
from collections.abc import Iterable
from importlib import import_module
from typing import Any

MAX_LENGTH = 1024
MOST_WAYS = 2**25
"""A second of matching, at worst."""
_ENDLESS = 256
"""How often something repeated without a bound is taken to fit: labels are short."""

# Its place is private, but the same in all Pythons that are supported; the public one warns of its end.
_parse = import_module("re._parser").parse


def check_pattern(text: str) -> None:
    """Return where `text` is a regular expression that is soon matched with any label.

    Raises:
        ValueError: it is none, or it may take too long.

    >>> check_pattern("ibm_.*|ionq_(aria|forte)")

    """
    if len(text) > MAX_LENGTH:
        raise ValueError(f"a regular expression has at most {MAX_LENGTH} characters")
    try:
        re.compile(text)
        ways = _count(_parse(text))
    except (re.error, OverflowError) as error:
        raise ValueError(f"{text[:80]!r} is no regular expression: {error}") from error
    except RecursionError as error:
        raise ValueError(f"{text[:80]!r} nests too deeply") from error
    if ways > MOST_WAYS:
        raise ValueError(f"{text[:80]!r} may take too long to match: repeat less, and nothing that itself repeats")


def _count(parts: Iterable[tuple[Any, Any]]) -> int:
    """Return in how many ways the parts can fit some text, or more than MOST_WAYS."""
    ways = 1
    for kind, value in parts:
        match str(kind):
            case "MAX_REPEAT" | "MIN_REPEAT" | "POSSESSIVE_REPEAT":
                least, most, repeated = value
                ways *= _count_repeated(_count(repeated), least, min(most, max(least, _ENDLESS)))
            case "BRANCH":
                ways *= sum(_count(branch) for branch in value[1])
            case "GROUPREF_EXISTS":
                ways *= sum(_count(branch) for branch in value[1:] if branch is not None)
            case "SUBPATTERN" | "ASSERT" | "ASSERT_NOT":
                ways *= _count(value[-1])
            case "ATOMIC_GROUP":
                ways *= _count(value)
        if ways > MOST_WAYS:
            break
    return ways


def _count_repeated(once: int, least: int, most: int) -> int:
    if once == 1:
        return most - least + 1
    ways = 0
    for times in range(least, most + 1):
        ways += once**times
        if ways > MOST_WAYS:
            break
    return ways
