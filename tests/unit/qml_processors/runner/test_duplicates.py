import pytest
from hypothesis import given
from hypothesis import strategies as st

from qml_processors.runner.duplicates import (
    FOREIGN_IDS,
    FOREIGN_WINDOW,
    FORGET_AFTER,
    MAX_SPANS,
    CountedSource,
    ForeignSource,
    is_counted,
)


def counter(number):
    return f"{number:016x}"


@given(st.lists(st.integers(0, 60), max_size=120))
def test_intervals_remember_exactly_what_a_set_would(numbers):
    source, seen = CountedSource(("iris", "qml://h/n/0")), set()
    for number in numbers:
        assert source.add(counter(number), 1) == (number not in seen)
        seen.add(number)
    spans = source.spans
    assert spans == sorted(spans)
    covered = [n for low, high in zip(spans[::2], spans[1::2], strict=True) for n in range(low, high + 1)]
    assert covered == sorted(seen)
    assert all(high + 1 < low for high, low in zip(spans[1::2], spans[2::2], strict=False))


def test_a_counted_source_is_forgotten_thirty_days_after_its_last_event():
    source = CountedSource(("iris", "qml://h/n/0"))
    assert source.add(counter(1), 0)
    assert source.add(counter(2), FORGET_AFTER - 1)
    assert not source.add(counter(1), 2 * FORGET_AFTER - 2)
    assert not source.expired(2 * FORGET_AFTER - 2)
    assert source.add(counter(1), 2 * FORGET_AFTER - 1)


def test_a_duplicate_does_not_keep_its_source_alive():
    source = CountedSource(("iris", "qml://h/n/0"))
    source.add(counter(1), 0)
    assert not source.add(counter(1), FORGET_AFTER - 1)
    assert source.expired(FORGET_AFTER)


def test_a_source_full_of_holes_stays_small_and_keeps_the_newest_exact():
    source = CountedSource(("iris", "qml://h/n/0"))
    for number in range(0, 6 * MAX_SPANS, 2):
        assert source.add(counter(number), 1)
    assert len(source.spans) <= 2 * MAX_SPANS
    assert source.add(counter(6 * MAX_SPANS - 3), 1)
    assert not source.add(counter(6 * MAX_SPANS - 4), 1)


def test_foreign_ids_are_remembered_for_their_window():
    source = ForeignSource(("iris", "https://other"))
    assert source.add("a", 0)
    assert not source.add("a", FOREIGN_WINDOW - 1)
    assert source.add("a", FOREIGN_WINDOW)


def test_foreign_ids_are_bounded_in_number():
    source = ForeignSource(("iris", "https://other"))
    for number in range(FOREIGN_IDS + 1):
        assert source.add(str(number), 1)
    assert len(source.ids) == FOREIGN_IDS
    assert source.add("0", 1)
    assert not source.add(str(FOREIGN_IDS), 1)


@pytest.mark.parametrize(
    ("source", "event_id"),
    [
        ("https://other", "0000000000000001"),
        ("qml://h/n/0", "1"),
        ("qml://h/n/0", "000000000000000A"),
        ("qml://h/n/0", "0x00000000000001"),
        ("qml://h/n/0", "-000000000000001"),
        ("qml://h/n/0", "0000_00000000001"),
    ],
)
def test_only_the_sixteen_hex_digits_of_our_own_sources_are_counters(source, event_id):
    assert not is_counted(source, event_id)
