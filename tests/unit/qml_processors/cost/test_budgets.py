import random

import pytest

from qml_processors.base import Finding, Summary
from quantum_mlops.clock import DAY, HOUR
from quantum_mlops.config.rules.cost import Budget


def budget(amount="3000", period="month", **more):
    return Budget(name="Team", amount=amount, currency="USD", period=period, **more)


def findings(found):
    return [one for one in found if isinstance(one, Finding)]


def said(found):
    return [(one.transition, one.rule, one.reason) for one in findings(found)]


def spend(watched, amounts, every=HOUR):
    found = []
    for amount in amounts:
        number = watched.number
        found += watched.job(job=f"j-{number}", run=None, cost={"final": f"{amount:.2f}"})
        found += watched.until(watched.now + every)
    return findings(found)


def test_an_even_spending_within_the_budget_says_nothing(house):
    watched = house(budgets=[budget()])
    spend(watched, [95.0] * 90, DAY)
    assert watched.said == []


def test_a_working_weeks_rhythm_within_the_budget_is_no_burn(house):
    watched = house(budgets=[budget("3000"), Budget(name="Week", amount="700", currency="USD", period="week")])
    rng = random.Random(4)
    for day in range(42):
        if day % 7 not in {1, 2}:  # 20,000 days after 1970 is a Friday
            spend(watched, [rng.uniform(8, 14) for _ in range(8)])
        watched.until((watched.now // DAY + 1) * DAY + 8 * HOUR)
    assert watched.said == []


def test_a_budget_that_burns_too_fast_names_the_date_when_it_is_gone(house):
    watched = house(budgets=[budget("720")])
    (opened,) = spend(watched, [8.0] * 25)[:1]
    assert said([opened]) == [("opened", "BudgetBurn/Team", None)]
    assert opened.severity == "warning"
    assert opened.labels == {"budget": "Team", "currency": "USD", "project": "iris"}
    assert "at this rate it is gone by 2024-10-0" in opened.annotations["summary"]
    assert opened.values["burn_rate"] > 2.0
    assert opened.evidence


def test_it_closes_when_the_long_window_no_longer_burns(house):
    watched = house(budgets=[budget("720")])
    spend(watched, [8.0] * 25)
    assert said(watched.until(watched.now + 4 * DAY)) == [("closed", "BudgetBurn/Team", "no longer burning")]


def test_spending_in_bursts_is_one_finding(house):
    watched = house(budgets=[budget("5000", "week")])
    watched.until(watched.now + 3 * DAY)  # Monday
    spend(watched, [365.0] * 3, every=6 * HOUR)
    assert watched.said == [("opened", "BudgetBurn/Team")]
    watched.until(watched.now + 2 * HOUR)
    assert watched.said[1:] == [("closed", "BudgetBurn/Team")]


def test_one_hour_on_fire_is_seen_in_that_hour(house):
    watched = house(budgets=[budget("7200")])
    spend(watched, [1.0] * 20)
    found = spend(watched, [200.0] * 6)
    assert said(found)[0] == ("opened", "BudgetBurn/Team", None)


def test_a_budget_that_is_gone_turns_critical_and_closes_with_its_period(house):
    watched = house(budgets=[budget("720")])
    found = spend(watched, [30.0] * 25)
    assert said(found) == [("opened", "BudgetBurn/Team", None), ("updated", "BudgetBurn/Team", None)]
    assert found[1].severity == "critical"
    assert found[1].annotations["summary"] == "Budget Team (month) is gone: 720.00 USD of 720.00 USD, 0.00 USD over"
    closed = watched.until(watched.now + 40 * DAY)
    assert said(closed) == [("closed", "BudgetBurn/Team", "a new period has begun")]
    summary = "Budget Team (month): a new period has begun (750.00 USD of 720.00 USD spent)"
    assert findings(closed)[0].annotations == {"summary": summary}
    assert findings(closed)[0].values == {"spent": 750.0, "budget": 720.0}


def test_a_total_stays_gone_until_it_is_raised(house):
    watched = house(budgets=[budget("100", "total")])
    spend(watched, [60.0, 60.0])
    assert findings(watched.until(watched.now + 400 * DAY)) == []
    (closed,) = findings(watched.rule(budgets=[budget("1000", "total")]))
    assert said([closed]) == [("closed", "BudgetBurn/Team", "no longer burning")]
    assert closed.annotations["summary"] == "Budget Team: no longer burning (120.00 USD of 1,000.00 USD spent)"


def test_a_removed_budget_closes(house):
    watched = house(budgets=[budget("100", "total")])
    spend(watched, [120.0])
    assert said(watched.rule()) == [("closed", "BudgetBurn/Team", "budget removed")]


def test_a_days_budget_counts_its_day_only(house):
    watched = house(budgets=[budget("100", "day")])
    assert spend(watched, [4.0] * 48) == []


def test_another_projects_budget_is_not_ours_and_another_currency_neither(house):
    euros = Budget(name="Euros", amount="1", currency="EUR")
    watched = house(budgets=[budget("1", project="other"), euros])
    assert spend(watched, [50.0] * 5) == []


def test_a_forecast_needs_two_weeks_and_opens_when_even_its_low_end_is_over(house):
    watched = house(budgets=[budget("1000")])
    rng = random.Random(3)
    found = spend(watched, [rng.uniform(35, 45) for _ in range(14)], DAY)
    assert found == []
    found = spend(watched, [rng.uniform(35, 45) for _ in range(10)], DAY)
    (opened,) = [one for one in found if one.rule == "SpendForecast/Team"]
    assert opened.transition == "opened"
    assert opened.values["forecast_low"] > 1000
    assert opened.values["forecast_low"] < opened.values["forecast"] < opened.values["forecast_high"]
    assert opened.values["days"] >= 14
    assert "90% interval" in opened.annotations["description"]


def test_a_forecast_closes_when_the_spending_stops(house):
    watched = house(budgets=[budget("1000")])
    spend(watched, [40.0] * 24, DAY)
    assert ("opened", "SpendForecast/Team") in watched.said
    closed = findings(watched.until(watched.now + 40 * DAY))[-1]
    assert said([closed])[0][:2] == ("closed", "SpendForecast/Team")
    assert "of 1,000.00 USD spent)" in closed.annotations["summary"]


@pytest.mark.parametrize("period", ["day", "total"])
def test_days_and_totals_have_no_forecast(house, period):
    watched = house(budgets=[budget("1000", period)])
    spend(watched, [20.0] * 40, DAY)
    assert not [rule for _, rule in watched.said if rule.startswith("SpendForecast")]


@pytest.mark.parametrize("finding", ["BudgetBurn", "SpendForecast"])
def test_what_is_switched_off_closes_and_stays_away(house, finding):
    watched = house(budgets=[budget("1000")])
    spend(watched, [40.0] * 24, DAY)
    spend(watched, [60.0] * 3)
    rules = [rule for transition, rule in watched.said if transition == "opened"]
    assert f"{finding}/Team" in rules
    before = len(watched.said)
    found = watched.rule(budgets=[budget("1000")], off=[finding])
    assert all(one.rule == f"{finding}/Team" and one.reason == "rule disabled" for one in findings(found))
    spend(watched, [60.0] * 10)
    assert f"{finding}/Team" not in [rule for transition, rule in watched.said[before:] if transition == "opened"]


def test_each_day_is_summed_up_with_the_forecast_once_there_is_one(house):
    watched = house(budgets=[budget("100000")])
    days = []
    for number in range(20):
        found = watched.job(job=f"j-{number}", run=None, cost={"final": f"{20 + number % 2}"})
        days += found + watched.until(watched.now + DAY)
    days = [one for one in days if isinstance(one, Summary)]
    assert [one.end - one.start for one in days] == [DAY] * 20
    assert days[0].labels == {"project": "iris"}
    assert days[0].values == {"cost.USD": 20.0, "budget.Team.spent": 20.0}
    assert [("budget.Team.forecast" in one.values) for one in days].index(True) == 14
    last = days[-1].values
    assert last["budget.Team.forecast_low"] < last["budget.Team.forecast"] < last["budget.Team.forecast_high"]
    assert last["budget.Team.forecast"] == pytest.approx(28 * 20.5, rel=0.02)


def test_a_day_without_news_has_no_summary(house):
    watched = house()
    watched.job(run=None, cost={"final": "1"})
    assert len(watched.until(watched.now + 9 * DAY)) == 1
