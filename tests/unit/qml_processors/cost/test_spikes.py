import math
import random

import pytest

from qml_processors.cost.spikes import MARKS_KEPT
from qml_processors.cost.usual import CELLS_KEPT, COSTS_KEPT, Drivers, Usual, learn_cost, learn_price, residual_of
from quantum_mlops.clock import DAY, HOUR, MINUTE
from quantum_mlops.events import Money


def said(found):
    return [(one.transition, one.rule, one.reason) for one in found]


def price(shots, executions=1, factor=1.0, version="2026-10"):
    """A list price: 0.30 an execution and 0.00035 a shot."""
    amount = executions * (0.30 + 0.00035 * shots) * factor
    return {"estimated": Money(amount=f"{amount:.6f}", currency="USD", price_version=version)}


def feed(watched, times, rng, factor=1.0, version="2026-10", every=10 * MINUTE):
    found = []
    for _ in range(times):
        shots, executions = rng.choice([500, 1000, 2000, 4000]), rng.choice([1, 2, 5])
        cost = price(shots, executions, factor, version)
        watched.until(watched.now + every)
        found += watched.job(job=f"j-{watched.number}", cost=cost, shots_requested=shots, executions=executions)
    return [one for one in found if hasattr(one, "transition")]


def test_known_drivers_explain_the_cost_and_nothing_is_said(house):
    watched = house("backend/")
    assert feed(watched, 600, random.Random(1)) == []
    cells = watched.states["backend/hanoi"].backend.usual.cells
    assert [round(math.exp(cell.log_shots)) for cell in cells] == [500, 1000, 2000, 4000]
    assert [math.exp(cell.mean) for cell in cells] == pytest.approx([0.475, 0.65, 1.0, 1.7], rel=1e-4)


def test_a_price_change_is_found_within_a_few_jobs_and_named_with_its_version(house):
    watched, rng = house("backend/"), random.Random(2)
    feed(watched, 300, rng)
    (opened,) = feed(watched, 8, rng, factor=2.0, version="2026-11")
    assert said([opened]) == [("opened", "CostSpike/price", None)]
    assert opened.labels == {"backend": "hanoi", "project": "iris", "cause": "a higher price per unit"}
    assert opened.annotations["summary"] == "Jobs on hanoi cost 2 times what their shots and executions explain"
    assert "The price version changed from 2026-10 to 2026-11." in opened.annotations["description"]
    assert len(opened.details["jobs"]) == len(opened.evidence) >= 3


def test_a_rise_below_the_least_ratio_is_not_worth_a_finding(house):
    watched, rng = house("backend/"), random.Random(2)
    feed(watched, 300, rng)
    assert feed(watched, 200, rng, factor=1.2) == []


def test_the_old_price_closes_it(house):
    watched, rng = house("backend/"), random.Random(2)
    feed(watched, 300, rng)
    feed(watched, 10, rng, factor=2.0)
    (closed,) = feed(watched, 60, rng)
    assert said([closed]) == [("closed", "CostSpike/price", "cost as predicted again")]


def test_a_price_that_stays_is_usual_after_a_week(house):
    watched, rng = house("backend/"), random.Random(2)
    feed(watched, 300, rng)
    feed(watched, 500, rng, factor=2.0, every=HOUR)
    assert watched.said == [("opened", "CostSpike/price"), ("closed", "CostSpike/price")]


def test_without_further_jobs_it_closes_after_a_day(house):
    watched, rng = house("backend/"), random.Random(2)
    feed(watched, 300, rng)
    feed(watched, 8, rng, factor=2.0)
    found = [one for one in watched.until(watched.now + DAY) if hasattr(one, "transition")]
    assert said(found) == [("closed", "CostSpike/price", "no priced job for a day")]


@pytest.mark.parametrize(("shots", "executions", "cause"), [(400_000, 1, "shots"), (1000, 200, "executions")])
def test_one_dear_job_names_the_driver_that_moved(house, shots, executions, cause):
    watched, rng = house("backend/"), random.Random(3)
    feed(watched, 100, rng)
    (opened,) = watched.job(job="dear", cost=price(shots, executions), shots_requested=shots, executions=executions)
    assert opened.rule == f"CostSpike/{cause}"
    assert opened.annotations["job"] == "dear"
    assert "The rule is plain so far, 3 times the dearest of 100 jobs" in opened.annotations["description"]
    assert "from 2000 jobs on" in opened.annotations["description"]
    found = [one for one in watched.until(watched.now + HOUR) if hasattr(one, "transition")]
    assert said(found) == [("closed", f"CostSpike/{cause}", "no further such job for an hour")]


def test_a_dear_job_without_shots_has_an_unknown_driver(house):
    watched, rng = house("backend/"), random.Random(3)
    feed(watched, 100, rng)
    (opened,) = watched.job(job="dear", cost={"final": "900"}, shots_requested=None)
    assert opened.rule == "CostSpike/cost"


def test_a_job_is_held_against_the_usual_once(house):
    watched, rng = house("backend/"), random.Random(3)
    feed(watched, 100, rng)
    watched.job(job="dear", cost={"estimated": "900"})
    watched.until(watched.now + 2 * HOUR)
    assert watched.job("billed", job="dear", cost={"final": "900"}) == []


def test_from_2000_jobs_on_the_bound_is_that_of_the_tail(house):
    watched, rng = house("backend/"), random.Random(5)
    usual = watched.processor.open("backend/hanoi")
    for _ in range(COSTS_KEPT):
        learn_cost(usual.backend.usual, rng.gauss(0.0, 1.0))
    usual.backend.currency = "USD"
    watched.states["backend/hanoi"] = usual
    assert watched.job(job="a", cost={"final": f"{math.exp(3.5):.2f}"}) == []
    (opened,) = watched.job(job="b", cost={"final": f"{math.exp(8):.2f}"})
    assert "The bound is the tail of the last 2000 jobs at half of 1 per 10000" in opened.annotations["description"]
    assert 3.5 < math.log(opened.values["bound"]) < 8


@pytest.mark.parametrize("tail", ["lognormal", "Pareto", "gamma"])
def test_findings_without_a_cause_are_as_rare_as_declared_whatever_the_tail(house, tail):
    """6,000 jobs on one backend: the plain rule for 2,000, then the tail, and the chart; 0.6 findings declared."""
    watched, rng = house("backend/"), random.Random(8)
    draw = {
        "lognormal": lambda: rng.lognormvariate(0.0, 1.3),
        "Pareto": lambda: rng.paretovariate(1.5),
        "gamma": lambda: rng.gammavariate(0.5, 1.0),
    }[tail]
    for number in range(6000):
        watched.until(watched.now + 10 * MINUTE)
        watched.job("completed", job=f"j-{number}", cost={"final": f"{draw():.9f}"})
    assert [transition for transition, _ in watched.said].count("opened") <= 3


def test_a_runaway_loop_is_named_with_its_job_and_closes(house):
    watched = house("backend/")
    for _ in range(30):
        for _ in range(4):
            watched.job(job=f"j-{watched.number}", cost=price(1000))
        watched.until(watched.now + HOUR)
    found = []
    for _ in range(60):
        found += watched.job(job=f"j-{watched.number}", cost=price(1000))
    assert said(found) == [("opened", "CostSpike/job_rate", None)]
    assert found[0].annotations["summary"] == "20 jobs within an hour on hanoi, the most before was 4"
    closed = [one for one in watched.until(watched.now + HOUR) if hasattr(one, "transition")]
    assert said(closed) == [("closed", "CostSpike/job_rate", "no job for an hour")]


def test_a_loop_of_retries_is_told_apart(house):
    watched = house("backend/")
    for _ in range(30):
        watched.job(job=f"j-{watched.number}", cost=price(1000))
        watched.until(watched.now + HOUR)
    found = []
    for _ in range(30):
        job = f"j-{watched.number}"
        found += watched.job(job=job, cost=price(1000))
        found += watched.job("failed", job=job)
    assert [one.rule for one in found] == ["CostSpike/retries"]
    assert found[0].values["failed"] >= 10


def test_a_new_rate_is_usual_after_a_week(house):
    watched = house("backend/")
    for _ in range(30):
        watched.job(job=f"j-{watched.number}", cost=price(1000))
        watched.until(watched.now + HOUR)
    for _ in range(24 * 8):
        for _ in range(24):
            watched.job(job=f"j-{watched.number}", cost=price(1000))
        watched.until(watched.now + HOUR - 1)
        watched.now += 1
    assert watched.said == [("opened", "CostSpike/job_rate"), ("closed", "CostSpike/job_rate")]


def test_a_free_backend_has_no_runaway_loop(house):
    watched = house("backend/")
    for _ in range(30):
        watched.job(job=f"j-{watched.number}")
        watched.until(watched.now + HOUR)
    for _ in range(100):
        watched.job(job=f"j-{watched.number}")
    assert watched.said == []


def test_another_currency_is_not_charted_until_it_replaces_the_first(house):
    watched, rng = house("backend/"), random.Random(1)
    feed(watched, 100, rng)
    for _ in range(50):
        watched.job(job=f"e-{watched.number}", cost={"final": Money(amount="9000", currency="EUR")})
    assert watched.said == []
    assert watched.states["backend/hanoi"].backend.currency == "USD"
    watched.job(job="e-last", cost={"final": Money(amount="9000", currency="EUR")})
    assert watched.states["backend/hanoi"].backend.currency == "EUR"


def test_a_state_is_bounded(house):
    watched, rng = house("backend/"), random.Random(1)
    usual = Usual()
    for _ in range(COSTS_KEPT * 3 - 1):
        learn_cost(usual, rng.random())
        learn_price(usual, 1.0, Drivers(1000.0, 1.0), 0.0)
    assert [len(raw) // 4 for raw in (usual.costs, usual.fresh, usual.residuals)] == [2000, 1999, 500]
    feed(watched, 300, rng)
    state = watched.states["backend/hanoi"].backend
    assert len(state.charted) == len(state.begun) == 8 * MARKS_KEPT


def test_a_number_of_shots_never_seen_is_learnt_not_charted():
    usual = Usual()
    for shots, cost in ((1000.0, 0.65), (4000.0, 1.7)):
        for _ in range(5):
            assert residual_of(usual, cost, Drivers(shots, 1.0)) is None
            learn_price(usual, cost, Drivers(shots, 1.0), None)
        assert residual_of(usual, cost, Drivers(shots, 1.0)) == pytest.approx(0.0, abs=1e-4)
    assert residual_of(usual, 2 * 1.7, Drivers(4000.0, 2.0)) == pytest.approx(0.0, abs=1e-4)
    assert residual_of(usual, 0.33, Drivers(100.0, 1.0)) is None
    assert residual_of(usual, 1.0, Drivers(2000.0, 1.0)) == pytest.approx(math.log(1.0 / (0.65 * 1.7) ** 0.5), abs=1e-3)
    assert residual_of(usual, 0.65, Drivers(None, 1.0)) is None


def test_the_numbers_of_shots_that_are_told_apart_are_bounded():
    usual = Usual()
    for number in range(100):
        learn_price(usual, 1.0, Drivers(1000.0 + number, 1.0), None)
    assert len(usual.cells) == CELLS_KEPT


def test_spikes_can_be_switched_off_by_themselves(house):
    watched, rng = house("backend/"), random.Random(3)
    feed(watched, 100, rng)
    watched.job(job="dear", cost={"estimated": "900"})
    assert said(watched.rule(off=["CostSpike"])) == [("closed", "CostSpike/price", "rule disabled")]
    assert watched.job(job="dearer", cost={"estimated": "90000"}) == []
