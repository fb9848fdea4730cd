"""Matchers of routes, as Alertmanager writes them: `severity="critical"`, `backend =~ "ibm_.*"`.

Source: Alertmanager documentation, "Configuration", `<matcher>`.
"""

import re
from collections.abc import Mapping
from typing import Annotated, Literal, cast

from msgspec import Meta, Struct

from quantum_mlops.config.pattern import check_pattern

_MATCHER = re.compile(r'\s*([A-Za-z_][A-Za-z0-9_]*)\s*(=~|!~|!=|=)\s*(?:"((?:[^"\\]|\\.)*)"|([^\s"]*))\s*')
_ESCAPES = re.compile(r"\\(.)")


class Matcher(Struct, frozen=True, kw_only=True):
    """A label matcher with Alertmanager's operators."""

    name: Annotated[str, Meta(min_length=1, max_length=512)]
    operator: Literal["=", "!=", "=~", "!~"]
    value: str


def parse_matcher(text: str) -> Matcher:
    """Return the matcher that `text` says.

    Raises:
        ValueError: the text is no matcher, or its regular expression is none that is soon matched.

    >>> parse_matcher('backend =~ "ibm_.*"')
    Matcher(name='backend', operator='=~', value='ibm_.*')

    """
    found = _MATCHER.fullmatch(text)
    if found is None:
        raise ValueError(f'{text[:80]!r} is no matcher; write it like severity="critical" or backend=~"ibm_.*"')
    name, operator, quoted, bare = found.groups()
    value = bare if quoted is None else _ESCAPES.sub(r"\1", quoted) if "~" not in operator else quoted
    if "~" in operator:
        check_pattern(value)
    return Matcher(name=name, operator=cast('Literal["=", "!=", "=~", "!~"]', operator), value=value)


def format_matcher(matcher: Matcher) -> str:
    r"""Return the text that `parse_matcher` makes the same matcher of.

    >>> format_matcher(Matcher(name="run", operator="=", value='the "first"'))
    'run="the \\"first\\""'
    """
    value = matcher.value if "~" in matcher.operator else matcher.value.replace("\\", "\\\\").replace('"', '\\"')
    return f'{matcher.name}{matcher.operator}"{value}"'


def matches(matcher: Matcher, labels: Mapping[str, str]) -> bool:
    """Return whether `labels` satisfy the matcher; an absent label is the empty text. Patterns match whole.

    >>> matches(parse_matcher("severity!=info"), {"severity": "critical"})
    True
    """
    value = labels.get(matcher.name, "")
    match matcher.operator:
        case "=":
            return value == matcher.value
        case "!=":
            return value != matcher.value
        case "=~":
            return re.fullmatch(matcher.value, value) is not None
        case _:
            return re.fullmatch(matcher.value, value) is None
