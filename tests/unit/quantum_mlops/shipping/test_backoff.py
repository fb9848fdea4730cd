from hypothesis import given
from hypothesis import strategies as st

from quantum_mlops.shipping.backoff import LONGEST_SECONDS, delay_seconds


@given(st.integers(1, 10**6), st.floats(0, 1, exclude_max=True))
def test_a_wait_is_never_zero_and_never_long(attempts, chance):
    assert 0.25 <= delay_seconds(attempts, chance) <= LONGEST_SECONDS


@given(st.integers(1, 100), st.floats(0, 1, exclude_max=True), st.floats(0, 900))
def test_never_less_than_the_service_asked_for(attempts, chance, asked):
    assert delay_seconds(attempts, chance, asked) >= asked


def test_many_senders_do_not_come_back_together():
    waits = {round(delay_seconds(1, chance / 10, 30.0), 3) for chance in range(10)}
    assert len(waits) == 10
