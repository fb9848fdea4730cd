"""Matchers as Alertmanager writes them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantum_mlops.config.matcher import Matcher, format_matcher, matches, parse_matcher

LABELS = {"backend": "ibm_hanoi", "severity": "critical"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('severity="critical"', True),
        ("severity = critical", True),
        ("severity!=critical", False),
        ('backend=~"ibm_.*"', True),
        ('backend=~"hanoi"', False),
        ('backend!~"ibm_.*"', False),
        ('absent=""', True),
        ('absent!~".+"', True),
        (r'backend="ibm\"x"', False),
    ],
)
def test_a_matcher_decides_on_whole_values_and_absent_is_empty(text: str, expected: bool) -> None:
    assert matches(parse_matcher(text), LABELS) is expected


@pytest.mark.parametrize("text", ["", "severity", "=x", 'a="b" c', "a=~(", '9a="x"'])
def test_what_is_no_matcher_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no"):
        parse_matcher(text)


@given(st.text(max_size=20), st.sampled_from(["=", "!="]))
def test_a_matcher_is_written_so_that_it_is_read_as_the_same(value, operator):
    matcher = Matcher(name="run", operator=operator, value=value)
    assert parse_matcher(format_matcher(matcher)) == matcher


def test_a_pattern_is_written_as_it_was_read():
    matcher = parse_matcher(r'backend=~"ibm_\d+|a\"b"')
    assert parse_matcher(format_matcher(matcher)) == matcher
