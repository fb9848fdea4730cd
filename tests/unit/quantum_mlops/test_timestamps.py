import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantum_mlops.timestamps import format_time, parse_time

EARLIEST, LATEST = -62_135_596_800 * 10**9, 253_402_300_800 * 10**9 - 1


@given(st.integers(EARLIEST, LATEST))
def test_every_nanosecond_of_the_years_1_to_9999_survives(time_ns):
    text = format_time(time_ns)
    assert parse_time(text) == time_ns
    assert len(text) == 30


@given(st.integers(EARLIEST, LATEST), st.integers(EARLIEST, LATEST))
def test_texts_sort_as_their_times(one, other):
    assert (format_time(one) < format_time(other)) == (one < other)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("1970-01-01t00:00:00.5z", 500_000_000),
        ("1970-01-01 01:00:00+01:00", 0),
        ("1969-12-31T19:00:00-05:00", 0),
        ("1970-01-01T00:00:00.0000000019Z", 1),
        ("2016-12-31T23:59:60Z", 1_483_228_800_000_000_000),
    ],
)
def test_forms_of_rfc_3339(text, expected):
    assert parse_time(text) == expected


@pytest.mark.parametrize(
    "text",
    ["", "now", "2024-01-01", "2024-13-01T00:00:00Z", "2024-02-30T00:00:00Z", "2024-01-01T00:00:00", "2024-01-01T24:00:00Z",
     "2024-01-01T00:00:61.000000000Z", "2024-01-01T00:00:00+24:00", "٢٠٢٤-01-01T00:00:00Z", "2024-01-01T00:00:٠٠.000000000Z",
     "0000-01-01T00:00:00Z", "2024-01-01T00:00:00Z\n"],
)  # fmt: skip
def test_what_is_no_time_is_refused(text):
    with pytest.raises(ValueError):  # noqa: PT011 - strptime words its own
        parse_time(text)


@given(st.text(max_size=40))
def test_hostile_text_is_a_time_or_a_value_error(text):
    try:
        time_ns = parse_time(text)
    except ValueError:
        return
    assert isinstance(time_ns, int)
