"""The pace of a token."""

from qml_daemon.http.token_file import Token, hash_secret
from qml_daemon.ingest.rate import Rates


def token(name: str, rate: int) -> Token:
    return Token(name=name, project="p", scopes=["ingest"], sha256=hash_secret(name), events_per_second=rate)


def test_over_a_long_time_a_token_sends_its_rate_and_no_more() -> None:
    now = [0.0]
    rates = Rates(lambda: now[0])
    slow = token("a", 100)
    taken = 0
    for step in range(10_000):
        now[0] = step / 100
        if rates.charge(slow, 7) == 0.0:
            taken += 7
    assert 100 * 100 <= taken <= 100 * 100 + 200 + 7


def test_the_time_to_wait_is_enough_and_another_token_need_not() -> None:
    now = [0.0]
    rates = Rates(lambda: now[0])
    slow = token("a", 10)
    assert rates.charge(slow, 50) == 0.0
    wait = rates.charge(slow, 1)
    assert wait > 3.0
    assert rates.charge(token("b", 10), 1) == 0.0
    now[0] += wait
    assert rates.charge(slow, 1) == 0.0
