"""What a CostSpike finding says: how much, over what, which driver moved, and which jobs show it."""

import math

from qml_processors.base import Finding
from qml_processors.cost.money import say_amount
from qml_processors.cost.pace import HOURS_KEPT, TIMES, Pace
from qml_processors.cost.sighting import Sighting
from quantum_mlops.config.rules.cost import CostRule
from quantum_mlops.events import Event, Job
from quantum_mlops.stats import LEAST_OBSERVATIONS

RULE = "CostSpike"
_CAUSES = {
    "shots": "more shots",
    "executions": "more circuits or executions",
    "price": "a higher price per unit",
    "cost": "an unknown driver",
    "job_rate": "more jobs an hour",
    "retries": "retries of failed jobs",
    "idle_session": "an idle session",
}
_ADVICE = {
    "shots": "Ask whether so many shots are meant.",
    "executions": "Look at the number of circuits and of parameter sets in the job.",
    "price": "Shots and executions do not explain it.",
    "cost": "The job does not say its shots, so what moved is not known.",
}

Suspect = tuple[float, str, str, str]


def spike_finding(
    labels: dict[str, str],
    sighting: Sighting,
    causes: list[tuple[str, float]],
    known: int,
    limit: float,
    rule: CostRule,
    versions: tuple[str, str],
) -> Finding:
    """Say that one job is far dearer than jobs here are."""
    event, data, quote = sighting.event, sighting.data, sighting.quote
    cause, factor = causes[0]
    cost = say_amount(quote.amount, quote.currency)
    bound = f"{math.exp(limit):,.2f} {quote.currency}"
    moved = ", ".join(f"{name} {ratio:.3g} times the median" for name, ratio in causes)
    if known < LEAST_OBSERVATIONS:
        basis = (
            f"The rule is plain so far, 3 times the dearest of {known} jobs; a rate of false alarms can be declared "
            f"from {LEAST_OBSERVATIONS} jobs on."
        )
    else:
        basis = f"The bound is the tail of the last {known} jobs at half of {rule.false_alarms}."
    stage = {"final": "billed", "reserved": "reserved", "estimated": "estimated"}[quote.stage]
    return Finding(
        transition="opened",
        rule=f"{RULE}/{cause}",
        severity=rule.severity,
        labels={**labels, "cause": _CAUSES[cause]},
        annotations={
            "summary": f"A job on {labels['backend']} costs {cost} ({stage}), usual is up to {bound}: {_CAUSES[cause]}",
            "description": f"Moved: {moved}. {_ADVICE[cause]}{_price_text(cause, versions)} {basis}",
            "job": data.job_id,
            **({"run": event.context.runid} if event.context.runid else {}),
        },
        values={
            "cost": float(quote.amount),
            "bound": math.exp(limit),
            "factor": factor,
            "reference_jobs": float(known),
        },
        details={"jobs": [{"job": data.job_id, "cost": cost, "stage": quote.stage}]},
        evidence=[event.key],
    )


def price_finding(
    labels: dict[str, str],
    suspects: list[Suspect],
    ratio: float,
    known: int,
    rule: CostRule,
    versions: tuple[str, str],
) -> Finding:
    """Say that jobs cost more than their shots and executions explain."""
    return Finding(
        transition="opened",
        rule=f"{RULE}/price",
        severity=rule.severity,
        labels={**labels, "cause": _CAUSES["price"]},
        annotations={
            "summary": f"Jobs on {labels['backend']} cost {ratio:.3g} times what their shots and executions explain",
            "description": (
                f"The last {len(suspects)} jobs against the price learnt from {known} jobs or more."
                f"{_price_text('price', versions)} The chart's limit is half of {rule.false_alarms}."
            ),
        },
        values={"ratio": ratio, "minimum_ratio": rule.minimum_ratio, "reference_jobs": float(known)},
        details={"jobs": [{"job": job, "times_usual": f"{math.exp(value):.3g}"} for value, job, _, _ in suspects]},
        evidence=[(source, identity) for _, _, source, identity in suspects],
    )


def rate_finding(
    labels: dict[str, str], event: Event, data: Job, cause: str, pace: Pace, limit: int, rule: CostRule
) -> Finding:
    """Say that far too many jobs are sent: a runaway loop, or a loop of retries."""
    most = max(pace.history)
    what = (
        f"{pace.failed} of them failed: something sends failed jobs again."
        if cause == "retries"
        else "Few of them failed: a loop may not know when to stop."
    )
    return Finding(
        transition="opened",
        rule=f"{RULE}/{cause}",
        severity=rule.severity,
        labels={**labels, "cause": _CAUSES[cause]},
        annotations={
            "summary": f"{pace.jobs} jobs within an hour on {labels['backend']}, the most before was {most}",
            "description": (
                f"{what} The rule is plain: {TIMES} times the most of {len(pace.history)} hours (of up to "
                f"{HOURS_KEPT}) with jobs, without a declared rate. The newest job is named; stop what sends them."
            ),
            "job": data.job_id,
            **({"run": event.context.runid} if event.context.runid else {}),
        },
        values={
            "jobs": float(pace.jobs),
            "failed": float(pace.failed),
            "limit": float(limit),
            "most_before": float(most),
        },
        details={"jobs": [{"job": data.job_id}]},
        evidence=[event.key],
    )


def idle_finding(
    labels: dict[str, str], event: Event, idle_seconds: float, cost: str | None, rule: CostRule
) -> Finding:
    """Say that an open session is paid for and does nothing."""
    paid = f"It has cost {cost} so far." if cost is not None else "What it costs is unknown."
    return Finding(
        transition="opened",
        rule=f"{RULE}/idle_session",
        severity=rule.severity,
        labels={**labels, "cause": _CAUSES["idle_session"]},
        annotations={
            "summary": f"Session {labels['session']} has been idle for {idle_seconds / 60:.0f} minutes",
            "description": (
                f"Its wall time is billed whether jobs run or not. {paid} Close the session, or send its next job."
            ),
        },
        values={"idle_seconds": idle_seconds},
        evidence=[event.key],
    )


def spike_closed(labels: dict[str, str], cause: str, reason: str, rule: CostRule) -> Finding:
    """Close the finding of a cause."""
    where = labels.get("backend") or labels.get("session", "")
    return Finding(
        transition="closed",
        rule=f"{RULE}/{cause}",
        severity=rule.severity,
        labels={**labels, "cause": _CAUSES[cause]},
        annotations={"summary": f"CostSpike by {_CAUSES[cause]} on {where}: {reason}"},
        reason=reason,
    )


def _price_text(cause: str, versions: tuple[str, str]) -> str:
    before, now = versions
    if cause != "price":
        return ""
    if before and before != now:
        return f" The price version changed from {before} to {now}."
    if now:
        return f" The price version is {now} as before: circuits may be deeper, or run longer."
    return " The provider names no price version: the price, or the circuits' depth, may have changed."
