from datetime import UTC, datetime

from qml_producers.prices import Prices, Use
from qml_producers.prices.catalogue import shipped_books

CEPHEUS = "arn:aws:braket:us-west-1::device/qpu/rigetti/Cepheus-1-108Q"
AT = datetime(2026, 11, 21, tzinfo=UTC)


def test_a_braket_task_costs_its_fee_and_its_shots_to_the_last_digit():
    money = Prices(shipped_books()).estimate(
        Use(provider="braket", device=CEPHEUS, at=AT, tasks=4, executions=4, shots=1000)
    )
    assert (money.amount, money.currency, money.price_version) == ("2.9", "USD", "amazon-braket 2026-11-20")
    assert money.source.startswith("https://")


def test_what_no_book_knows_is_unknown():
    prices = Prices(shipped_books())
    assert prices.estimate(Use(provider="braket", device="braket_sv", at=AT, shots=1000)) is None
    assert prices.estimate(Use(provider="ibm", device="ibm_fez", at=AT, shots=1000, seconds=2.0)) is None
    assert (
        prices.estimate(Use(provider="braket", device=CEPHEUS, at=datetime(2026, 7, 21, tzinfo=UTC), shots=1)) is None
    )
    assert prices.estimate(Use(provider="braket", device=CEPHEUS, at=AT)) is None  # how many shots?
