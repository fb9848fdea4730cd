import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantum_mlops.stats import parse_rate


@pytest.mark.parametrize(
    ("text", "run_length"),
    [
        ("1 per 10000 observations", 10_000.0),
        ("  1   PER 10,000 Observations ", 10_000.0),
        ("1 per 10 observations", 10.0),
        ("0.5 per 1000 observations", 2_000.0),
        ("4 per 1_000_000 observations", 250_000.0),
        ("1 per 1000000000 observation", 1e9),
    ],
)
def test_a_rate_becomes_its_run_length(text: str, run_length: float) -> None:
    assert parse_rate(text) == run_length


@pytest.mark.parametrize(
    "text", ["", "1e-4", "one per 100 observations", "1 per week", "1 per -5 observations", "1 per 100"]
)
def test_what_cannot_be_read_is_refused_with_the_form_to_write(text: str) -> None:
    with pytest.raises(ValueError, match=r'write it as "1 per 10000 observations"'):
        parse_rate(text)


@pytest.mark.parametrize("text", ["1 per 9 observations", "0 per 100 observations", "1 per 1000000001 observations"])
def test_rates_that_no_chart_can_hold_are_refused_with_the_range(text: str) -> None:
    with pytest.raises(ValueError, match="write between 1 per 10 and 1 per 1000000000"):
        parse_rate(text)


@given(st.text(max_size=300))
def test_no_text_raises_anything_but_a_value_error(text: str) -> None:
    try:
        assert parse_rate(text) >= 10
    except ValueError as error:
        assert "write" in str(error)
