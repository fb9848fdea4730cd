"""The merge of what events say of a cost: free of their order, exact, bounded."""

from decimal import Decimal

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from qml_processors.cost.account import DAYS_KEPT, HOURS_KEPT, STEPS_KEPT, Account, book, spent_in_hours, spent_on
from qml_processors.cost.ledger import BUCKET_JOBS, BUCKETS, KEPT, Ledger, enter, find_entry
from qml_processors.cost.money import parse_amount
from qml_processors.cost.quote import Quote, mark_of
from quantum_mlops.clock import DAY, HOUR

NOW = 20_000 * DAY
amounts = st.decimals(min_value="-1000", max_value="1000", places=4).map(lambda amount: format(amount, "f"))
words = st.tuples(
    st.sampled_from(["a", "b", "c"]),
    st.builds(
        Quote,
        rank=st.integers(0, 2),
        provider=st.integers(0, 2),
        time=st.integers(NOW - 3 * DAY, NOW),
        mark=st.binary(min_size=8, max_size=8),
        amount=amounts,
        currency=st.sampled_from(["USD", "EUR"]),
    ),
    st.one_of(st.none(), st.integers(0, 3)),
)


def figures(said):
    account = Account()
    for job, quote, step in said:
        book(account, job, quote, step, NOW, ("s", job))
    totals = {
        currency: [
            {slot: parse_amount(text) for slot, text in slots.items() if parse_amount(text)}
            for slots in (spent.days, spent.hours, spent.steps)
        ]
        + [parse_amount(spent.total)]
        for currency, spent in account.spent.items()
        if parse_amount(spent.total) or any(map(parse_amount, spent.days.values()))
    }
    return totals, account.jobs, {job: find_entry(account.ledger, mark_of(job)) for job in "abc"}


@given(st.lists(words, max_size=12, unique_by=lambda word: word[1].mark), st.randoms(use_true_random=False))
@settings(max_examples=200, deadline=None)
def test_any_order_and_any_repetition_gives_the_same_totals(said, rng):
    again = [*said, *(rng.choice(said) for _ in range(3 if said else 0))]
    rng.shuffle(again)
    assert figures(again) == figures(said)


@given(st.lists(words, max_size=12, unique_by=lambda word: word[1].mark))
@settings(max_examples=100, deadline=None)
def test_the_totals_are_the_sum_of_what_holds_for_each_job(said):
    holds = {}
    for job, quote, _ in said:
        holds[job] = max(holds.get(job, quote), quote, key=lambda one: one.place)
    totals, _, _ = figures(said)
    for currency in ("USD", "EUR"):
        expected = sum((Decimal(one.amount) for one in holds.values() if one.currency == currency), Decimal(0))
        assert totals.get(currency, [0, 0, 0, 0])[3] == expected


def quote(amount, time=NOW, rank=0):
    return Quote(rank, 0, time, mark_of(amount, str(time)), amount, "USD")


def test_a_ledger_is_bounded_and_the_longest_silent_job_leaves_first():
    ledger = Ledger()
    for number in range(2 * BUCKETS * BUCKET_JOBS):
        enter(ledger, mark_of(f"j-{number}"), quote("1"), None, NOW + number)
    kept = [len(msgspec.msgpack.decode(raw)) for raw in ledger.buckets]
    assert max(kept) == BUCKET_JOBS
    assert ledger.left == 2 * BUCKETS * BUCKET_JOBS - sum(kept)
    assert find_entry(ledger, mark_of(f"j-{2 * BUCKETS * BUCKET_JOBS - 1}")) is not None
    assert find_entry(ledger, mark_of("j-0")) is None
    assert len(msgspec.msgpack.encode(ledger)) < 320_000


def test_a_job_of_which_nothing_came_for_long_leaves_the_ledger():
    ledger = Ledger()
    enter(ledger, b"\0" * 8, quote("1"), None, NOW)
    enter(ledger, b"\0" * 7 + b"\1", quote("1"), None, NOW + KEPT + 1)
    assert find_entry(ledger, b"\0" * 8) is None


def test_days_hours_and_steps_are_bounded():
    account = Account()
    for number in range(400):
        now = NOW + number * DAY
        book(account, f"j-{number}", quote(f"{number}", now), number, now, ("s", "i"))
    spent = account.spent["USD"]
    assert len(spent.days) <= DAYS_KEPT + 1
    assert len(spent.hours) <= HOURS_KEPT // 24 + 1
    assert len(spent.steps) == STEPS_KEPT
    assert 399 in spent.steps
    assert 0 not in spent.steps
    assert spent.dearest[0].job == "j-399"
    assert parse_amount(spent.total) == sum(range(400))


def test_a_job_counts_at_the_earliest_time_known_of_it():
    account = Account()
    book(account, "a", quote("5", NOW, rank=2), None, NOW, ("s", "1"))
    book(account, "a", quote("3", NOW - DAY), None, NOW, ("s", "2"))
    assert spent_on(account, "USD", NOW // DAY) == 0
    assert spent_on(account, "USD", NOW // DAY - 1) == 5
    assert spent_in_hours(account, "USD", NOW, 2) == 0


def test_an_emitters_clock_that_is_ahead_counts_as_now():
    account = Account()
    book(account, "a", quote("5", NOW + 900 * DAY), None, NOW, ("s", "1"))
    assert spent_in_hours(account, "USD", NOW, 1) == 5
    assert list(account.spent["USD"].hours) == [NOW // HOUR]
