from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qml_producers.prices import Book, Price, Prices, Use, cost_of
from qml_producers.prices.catalogue import shipped_books

BRAKET = "arn:aws:braket:{}::device/qpu/{}"
CEPHEUS = BRAKET.format("us-west-1", "rigetti/Cepheus-1-108Q")
SV1 = "arn:aws:braket:::device/quantum-simulator/amazon/sv1"
AT = datetime(2026, 11, 21, tzinfo=UTC)
SHIPPED = Prices(shipped_books())


def use(device=CEPHEUS, **known):
    return Use(**{"provider": "braket", "device": device, "at": AT, **known})


def price(**rates):
    known = {"provider": "lab", "devices": ["*"], "currency": "EUR", "effective_from": date(2026, 1, 1), **rates}
    return Price(
        **{
            name: Decimal(value) if isinstance(value, str) and name not in {"provider", "currency"} else value
            for name, value in known.items()
        }
    )


def prices(*found, own=()):
    return Prices([*own, Book(name="lab", version="7", prices=list(found))], len(own))


@pytest.mark.parametrize(
    ("device", "tasks", "shots", "amount"),
    [  # what Amazon's own Tracker printed
        (CEPHEUS, 1, 10_000, "4.55"),
        (CEPHEUS, 4, 1000, "2.9"),
        (BRAKET.format("us-west-1", "rigetti/Ankaa-3"), 120, 100, "46.8"),
        (BRAKET.format("eu-north-1", "iqm/Garnet"), 3, 100, "1.335"),
        (BRAKET.format("us-east-1", "quera/Aquila"), 20, 100, "26"),
        (BRAKET.format("us-east-1", "ionq/Forte-Enterprise-1"), 1, 100, "8.3"),
    ],
)
def test_braket_costs_what_amazons_tracker_printed(device, tasks, shots, amount):
    money = SHIPPED.estimate(use(device, tasks=tasks, executions=tasks, shots=shots))
    assert (money.amount, money.currency, money.price_version) == (amount, "USD", "amazon-braket 2026-11-21")
    assert money.source.startswith("https://")


def test_a_simulator_is_billed_by_the_second_and_three_of_them_at_least_for_each_task():
    assert SHIPPED.estimate(use(SV1, seconds=0.006)).amount == "0.00375"
    assert SHIPPED.estimate(use(SV1, tasks=304, seconds=983.345)).amount == "1.22918125"
    assert SHIPPED.estimate(use(SV1, shots=1000)) is None


def test_gate_shots_have_a_minimum_that_depends_on_error_mitigation():
    def cost(gates, mitigated):
        return SHIPPED.estimate(
            Use(
                provider="azure",
                device="ionq.qpu.forte-1",
                at=AT,
                shots=1000,
                one_qubit_gates=10 * gates,
                two_qubit_gates=gates,
                error_mitigation=mitigated,
            )
        ).amount

    assert (cost(2, True), cost(2, False)) == ("168.195", "25.7899")
    assert cost(1000, True) == cost(1000, False) == "2766"  # 1,000 × (10 × 0.0001645 + 0.001121) × 1,000


@pytest.mark.parametrize(
    "unknown",
    [
        use("braket_sv", shots=1000),
        use(provider="ibm", device="ibm_fez", seconds=2.0),
        use(provider="ionq", device="qpu.forte-1", shots=100),
        use(BRAKET.format("eu-north-1", "iqm/Emerald"), shots=100),
        use(),  # how many shots?
        use(shots=1000, at=datetime(2026, 4, 15, 23, 59, tzinfo=UTC)),  # before the first day on which it was seen
    ],
)
def test_what_no_book_knows_is_unknown_and_not_free(unknown):
    assert SHIPPED.estimate(unknown) is None


def test_an_amount_is_exact_where_floats_are_not():
    money = prices(price(shot="0.1", task="0.2")).estimate(use(provider="lab", device="x", shots=1))
    assert money.amount == "0.3"


@given(st.integers(0, 2**53), st.integers(1, 10**6), st.decimals(0, 1000, places=9, allow_nan=False))
def test_any_use_costs_what_exact_arithmetic_says_or_nothing(shots, executions, shot):
    money = prices(price(shot=shot, task="0.30")).estimate(
        use(provider="lab", device="x", shots=shots, executions=executions)
    )
    exact = (
        Decimal("0.30") + Decimal(int(shot * 10**9) * shots * executions).scaleb(-9)
        if shots * executions < 10**15
        else None
    )
    if exact is not None and exact < 10**20:
        assert Decimal(money.amount) == exact
    elif money is not None:
        assert len(money.amount.partition(".")[0]) <= 20


def test_the_more_special_pattern_holds_and_of_these_the_later_day():
    found = prices(
        price(devices=["*"], shot="9", effective_from=date(2026, 9, 1)),
        price(devices=["eagle_*"], shot="1"),
        price(devices=["eagle_*"], shot="2", effective_from=date(2026, 11, 1)),
        price(devices=["eagle_*"], shot="3", effective_from=date(2026, 12, 1)),
    )
    amounts = [found.estimate(use(provider="lab", device=device, shots=1)).amount for device in ("eagle_1", "falcon")]
    assert amounts == ["2", "9"]


def test_the_users_own_price_has_the_last_word_even_where_it_gives_no_amount():
    own = Book(
        name="contract", version="2026", prices=[price(provider="braket", devices=["arn:*Cepheus*"], second="2")]
    )
    found = Prices([own, *shipped_books()], 1)
    assert found.estimate(use(seconds=1.5)).amount == "3"
    assert found.estimate(use(seconds=1.5)).source is None
    assert found.estimate(use(shots=1000)) is None


def test_books_grow_old_and_say_so():
    assert SHIPPED.old(date(2026, 11, 21)) == []
    old = SHIPPED.old(date(2027, 1, 19))
    assert len(old) == 1
    assert "amazon-braket 2026-11-21 were looked up 181 days ago, on 2026-07-22" in old[0]


def test_a_cost_is_estimated_then_reserved_then_final():
    stages = {
        status: cost_of(SHIPPED, use(shots=1000), status)
        for status in ("created", "queued", "running", "completed", "unknown")
    }
    amounts = {
        status: cost
        and {stage: money.amount for stage in ("estimated", "reserved", "final") if (money := getattr(cost, stage))}
        for status, cost in stages.items()
    }
    assert amounts == {
        "created": {"estimated": "0.725"},
        "queued": {"reserved": "0.725"},
        "running": {"reserved": "0.725"},
        "completed": {"final": "0.725"},
        "unknown": None,
    }


@pytest.mark.parametrize("status", ["failed", "cancelled"])
def test_a_failed_job_costs_nothing_only_where_its_price_says_so(status):
    assert cost_of(SHIPPED, use(shots=1000), status).final.amount == "0"
    ibm = prices(price(second="1.5"))
    assert cost_of(ibm, use(provider="lab", device="x", seconds=2), status).final.amount == "3"
    assert cost_of(ibm, use(provider="lab", device="x"), status) is None
    assert cost_of(prices(price(shot="1")), use(provider="lab", device="x", shots=5), status) is None
    assert cost_of(SHIPPED, use("braket_sv", shots=5), status) is None


@pytest.mark.parametrize("book", shipped_books(), ids=lambda book: book.name)
def test_every_shipped_price_says_where_it_is_from_and_when_it_was_looked_up(book):
    for one in book.prices:
        assert one.source or book.source
        assert (one.retrieved_at or book.retrieved_at) >= one.effective_from
