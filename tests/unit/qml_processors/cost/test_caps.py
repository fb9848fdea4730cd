import itertools
import math

import pytest

from qml_processors.base import Finding
from qml_processors.cost.caps import OpenCap
from quantum_mlops.clock import DAY, HOUR
from quantum_mlops.config.rules.cost import Cap
from quantum_mlops.events import Money


def cap(per, amount="10", currency="USD", **more):
    return Cap(per=per, amount=amount, currency=currency, **more)


def said(found):
    return [(one.transition, one.rule, one.reason) for one in found if isinstance(one, Finding)]


def test_an_estimate_over_the_cap_opens_before_the_money_is_spent(house):
    watched = house(caps=[cap("job")])
    assert watched.job(cost={"estimated": "10"}) == []
    (opened,) = watched.job("queued", cost={"reserved": "10.01"})
    assert said([opened]) == [("opened", "CostCap/job/USD", None)]
    assert opened.severity == "critical"
    assert opened.annotations["summary"] == "Job j-1 costs 10.01 USD, 0.01 USD over the cap of 10.00 USD"
    assert "cancel the job to save the money" in opened.annotations["description"]
    assert opened.labels == {"project": "iris", "run": "r-1", "backend": "hanoi"}
    assert opened.details == {"jobs": [{"job": "j-1", "cost": "10.01 USD", "stage": "reserved"}]}
    assert len(opened.evidence) == 2


def test_a_lower_bill_closes_and_a_later_refund_too(house):
    watched = house(caps=[cap("job")])
    watched.job(cost={"estimated": "30"})
    assert said(watched.job("billed", cost={"final": "9"}, ended=100)) == [
        ("closed", "CostCap/job/USD", "cap kept again")
    ]
    (opened,) = watched.job("billed", cost={"final": "12"}, ended=200)
    assert "the money is spent" in opened.annotations["description"]
    assert watched.job("billed", cost={"final": "8"}, ended=150) == []  # older by the provider's time
    assert said(watched.job("billed", cost={"final": "2"}, ended=300)) == [
        ("closed", "CostCap/job/USD", "cap kept again")
    ]


def test_a_changed_price_version_is_noted(house):
    watched = house(caps=[cap("job")])
    watched.job(cost={"estimated": Money(amount="5", currency="USD", price_version="2026-10")})
    (opened,) = watched.job("billed", cost={"final": Money(amount="15", currency="USD", price_version="2026-11")})
    assert "The price changed between the two: 2026-10 to 2026-11." in opened.annotations["description"]


def test_without_news_a_jobs_cap_closes_after_a_day_and_the_job_is_forgotten(house):
    watched = house("job/", caps=[cap("job")])
    watched.job(cost={"final": "11"})
    (closed,) = watched.until(watched.now + DAY)
    assert said([closed]) == [("closed", "CostCap/job/USD", "no news of its cost for a day")]
    text = "Job j-1: no news of its cost for a day (11.00 USD, cap of 10.00 USD on a job)"
    assert closed.annotations == {"summary": text}
    assert closed.values == {"cost": 11.0, "cap": 10.0}
    assert "job/j-1" not in watched.states


def test_a_raised_or_removed_cap_closes_at_once(house):
    watched = house(caps=[cap("job")])
    watched.job(cost={"final": "11"})
    (closed,) = watched.rule(caps=[cap("job", "20")])
    assert said([closed]) == [("closed", "CostCap/job/USD", "cap raised")]
    assert closed.annotations["summary"] == "Job j-1: cap raised (11.00 USD, cap of 20.00 USD on a job)"
    watched.rule(caps=[cap("job")])
    watched.job(job="j-2", cost={"final": "11"})
    assert said(watched.rule()) == [("closed", "CostCap/job/USD", "cap removed")]


def test_the_smallest_cap_of_the_project_holds(house):
    watched = house(caps=[cap("job", "50"), cap("job", "5", project="other"), cap("job", "20", project="iris")])
    assert watched.job(cost={"final": "19"}) == []
    (opened,) = watched.job(job="j-2", cost={"final": "21"})
    assert opened.values == {"cost": 21.0, "cap": 20.0, "final": 21.0}


def test_a_run_is_the_sum_of_its_jobs_each_counted_once(house):
    watched = house(caps=[cap("run")])
    for number in range(5):
        watched.job(job=f"j-{number}", cost={"estimated": "2"}, step=number)
        watched.job("completed", job=f"j-{number}", cost={"estimated": "2"}, step=number)
        watched.job("billed", job=f"j-{number}", cost={"final": "2.00"}, step=number)
    assert watched.said == []
    (opened,) = watched.job(job="j-9", cost={"estimated": "0.5"}, step=2)
    assert said([opened]) == [("opened", "CostCap/run/USD", None)]
    assert opened.annotations["summary"].startswith("Run r-1 costs 10.50 USD, 0.50 USD over")
    assert "dearest step is 2 at 2.50 USD" in opened.annotations["description"]
    assert opened.values["jobs"] == 6.0
    assert len(opened.details["jobs"]) == 5


def test_a_day_counts_all_runs_and_closes_at_its_end(house):
    watched = house(caps=[cap("day")])
    watched.job(job="a", run="r-1", cost={"final": "6"})
    watched.session("closed", cost="3")
    (opened,) = watched.job(job="b", run=None, cost={"estimated": "2"})
    assert opened.annotations["summary"].startswith("Project iris on 2024-10-04 (UTC) costs 11.00 USD")
    assert {"job": "session/s-1", "cost": "3.00 USD", "stage": "final"} in opened.details["jobs"]
    (closed,) = [one for one in watched.until(watched.now + DAY) if isinstance(one, Finding)]
    assert said([closed]) == [("closed", "CostCap/day/USD", "the day is over")]
    text = "Project iris on 2024-10-04 (UTC): the day is over (11.00 USD, cap of 10.00 USD on a day)"
    assert closed.annotations["summary"] == text
    assert watched.job(job="c", run="r-2", cost={"estimated": "9"}) == []


def test_a_bill_of_yesterday_is_no_cost_of_today(house):
    watched = house(caps=[cap("day")])
    watched.job(job="a", cost={"estimated": "1"})
    watched.until(watched.now + 30 * HOUR)
    assert watched.job("billed", job="a", cost={"final": "99"}) == []


def test_currencies_never_add_up(house):
    watched = house(caps=[cap("run"), cap("run", "4", "EUR"), cap("day")])
    watched.job(job="a", cost={"final": "9"})
    assert watched.job(job="b", cost={"final": Money(amount="4", currency="EUR")}) == []
    (opened,) = watched.job(job="c", cost={"final": Money(amount="0.01", currency="EUR")})
    assert opened.rule == "CostCap/run/EUR"
    assert opened.values["cost"] == 4.01


def test_a_bill_in_another_currency_closes_the_cap_of_the_first(house):
    watched = house(caps=[cap("job")])
    watched.job(cost={"estimated": "11"})
    found = watched.job("billed", cost={"final": Money(amount="99", currency="EUR")})
    assert said(found) == [("closed", "CostCap/job/USD", "billed in another currency")]
    assert "(11.00 USD, cap of 10.00 USD on a job)" in found[0].annotations["summary"]


def test_a_cap_that_was_opened_before_its_cost_was_kept_closes_without_one(house):
    watched = house(caps=[cap("job")])
    watched.job(cost={"final": "11"})
    state = watched.states["job/j-1"].job
    known = state.open["USD"]
    state.open["USD"] = OpenCap(known.currency, known.amount, known.severity, known.until)
    (closed,) = watched.rule()
    assert closed.annotations["summary"] == "A job: cap removed (cap of 10.00 USD on a job)"
    assert closed.values == {"cap": 10.0}


def test_a_kept_cap_says_what_the_job_costs_now(house):
    watched = house(caps=[cap("job")])
    watched.job(cost={"estimated": "30"})
    (closed,) = watched.job("billed", cost={"final": "9"}, ended=100)
    assert closed.annotations["summary"] == "Job j-1: cap kept again (9.00 USD, cap of 10.00 USD on a job)"


@pytest.mark.parametrize("order", list(itertools.permutations(range(4))))
def test_any_order_of_a_jobs_events_leaves_the_same_verdict(house, order):
    watched = house(caps=[cap("job"), cap("run"), cap("day")])
    events = [
        lambda: watched.job(cost={"estimated": "50"}, time=1),
        lambda: watched.job("queued", cost={"reserved": "40"}, time=2),
        lambda: watched.job("billed", cost={"final": "30"}, ended=100, time=3),
        lambda: watched.job("billed", cost={"final": "3"}, ended=200, time=4),
    ]
    for index in order:
        events[index]()
    transitions = [transition for transition, _ in watched.said]
    assert transitions.count("opened") == transitions.count("closed")
    assert watched.states["run/r-1"].run.account.spent["USD"].total == "3"


def test_an_unknown_cost_is_said_once_a_backend_and_never_counted_as_0(house):
    watched = house(caps=[cap("run")])
    for number in range(3):
        watched.job("completed", job=f"j-{number}")
    assert watched.said == []
    (notice,) = watched.until(watched.now + DAY)
    assert (notice.transition, notice.rule, notice.severity) == ("notice", "CostUnknown", "info")
    assert notice.labels == {"project": "iris", "run": "r-1", "backend": "hanoi"}
    watched.job("completed", job="j-8")
    assert watched.until(watched.now + 2 * DAY) == []
    assert watched.states["run/r-1"].run.account.spent == {}


def test_a_bill_that_comes_within_the_day_is_known(house):
    watched = house(caps=[cap("run")])
    watched.job("completed", job="j-1")
    watched.job("billed", job="j-1", cost={"final": "1"}, at=watched.now + HOUR)
    watched.job("created", job="j-2", cost={"estimated": "1"})
    watched.job("completed", job="j-2")
    watched.until(watched.now + 3 * DAY)
    assert watched.said == []


def test_without_caps_and_budgets_nobody_is_told_that_a_simulator_has_no_price(house):
    watched = house()
    watched.job("completed")
    watched.until(watched.now + 3 * DAY)
    assert watched.said == []


def test_a_run_is_summed_up_a_day_after_its_last_cost_and_forgotten_after_35(house):
    watched = house("run/")
    for step, amount in enumerate(["1.5", "2.5"]):
        watched.job(job=f"j-{step}", step=step, cost={"final": amount})
    (summary,) = watched.until(watched.now + DAY)
    assert summary.labels == {"run": "r-1"}
    assert summary.counts == {"jobs_with_cost": 2, "jobs_without_cost": 0}
    assert summary.values == {"cost.USD": 4.0, "cost.USD.step.max": 2.5, "cost.USD.step.mean": 2.0}
    assert watched.until(watched.now + 40 * DAY) == []
    assert "run/r-1" not in watched.states


def test_an_amount_of_twenty_digits_is_added_exactly(house):
    watched = house(caps=[cap("run", "1")])
    watched.job(job="a", cost={"final": "99999999999999999999.000000000001"})
    watched.job(job="b", cost={"final": "0.000000000001"})
    assert watched.states["run/r-1"].run.account.spent["USD"].total == "99999999999999999999.000000000002"
    assert math.isfinite(float(watched.states["run/r-1"].run.account.spent["USD"].total))


def test_switched_off_nothing_is_said_and_what_is_open_closes(house):
    watched = house(caps=[cap("job"), cap("run"), cap("day")])
    watched.job(cost={"final": "11"})
    assert len(watched.said) == 3
    found = watched.rule(enabled=False, caps=[cap("job")])
    assert {one.transition for one in found} == {"closed"}
    assert len(found) == 3
    assert watched.job(job="x", cost={"final": "11"}) == []
