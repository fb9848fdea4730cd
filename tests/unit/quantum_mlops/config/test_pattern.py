"""Regular expressions of users are matched soon, or refused."""

import re
import time

import pytest

from quantum_mlops.config.matcher import parse_matcher
from quantum_mlops.config.pattern import check_pattern


@pytest.mark.parametrize(
    "pattern",
    [
        "(a+)+$", "(a|aa)*b", "(.*)*", "(a*)*b", "a?" * 40, ".*.*.*.*x", "(?:(a+)){2,}", r"(\w+\s?)*!", "(ab|a|b)(" * 1 + "c+)*",
        "(aa|aa)" * 30, "(x+x+)+y", "(?=(a+)+$).*",
    ],
)  # fmt: skip
def test_what_python_would_try_in_too_many_ways_is_refused(pattern):
    with pytest.raises(ValueError, match="may take too long"):
        check_pattern(pattern)
    with pytest.raises(ValueError, match="may take too long"):
        parse_matcher(f'run=~"{pattern}"' if "\\" not in pattern else f"run=~{pattern}".replace(r"\s", "_"))


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("ibm_.*|ionq_(aria|forte)-?[0-9]*", "ionq_forte-1"), (".*", ""), ("(ibm|ionq)_.+", "ibm_x"), ("(ab)+", "abab"),
        ("Cost(Cap|Spike)/.*", "CostSpike/price"), ("(?i)CIRCUITdrift", "CircuitDrift"), ("[a-c]{2,5}", "abc"),
        ("|".join(f"backend_{number}" for number in range(60)), "backend_59"), ("(foo|bar)?baz", "baz"),
    ],
)  # fmt: skip
def test_what_people_write_is_taken(pattern, text):
    check_pattern(pattern)
    assert re.fullmatch(pattern, text)


def test_the_worst_that_is_taken_ends_within_seconds_on_the_longest_label():
    pattern = ".*a.*a.*b"
    check_pattern(pattern)
    begun = time.process_time()
    assert re.fullmatch(pattern, "a" * 512) is None
    assert time.process_time() - begun < 3.0


@pytest.mark.parametrize(
    ("pattern", "why"),
    [
        ("(", "no regular expression"), ("a{99999999999999999999}", "no regular expression"),
        ("(" * 900, "nests too deeply|no regular expression"), ("a" * 1025, "at most 1024"),
    ],
)  # fmt: skip
def test_what_is_no_regular_expression_is_refused_with_the_reason(pattern, why):
    with pytest.raises(ValueError, match=why):
        check_pattern(pattern)
