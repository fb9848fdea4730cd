"""What the types of the sections cannot say: checks across keys, one line a mistake."""

from collections.abc import Iterator

from quantum_mlops.clock import MINUTE, SECOND
from quantum_mlops.config.address import find_address_fault
from quantum_mlops.config.duration import parse_duration
from quantum_mlops.config.kafka_checks import check_kafka
from quantum_mlops.config.keys import suggest
from quantum_mlops.config.matcher import parse_matcher
from quantum_mlops.config.mqtt_checks import check_mqtt
from quantum_mlops.config.rules import CostRule, LifecycleRule, Rules
from quantum_mlops.config.sections import Route, Sections
from quantum_mlops.config.threshold_checks import check_threshold


def check_sections(sections: Sections) -> Iterator[str]:
    """Yield one line a mistake, with the path of its key."""
    yield from _check_rules(sections.rules)
    yield from _check_exporters(sections)
    yield from _check_follower(sections)
    yield from check_kafka(sections)
    yield from check_mqtt(sections)
    if sections.route is None:
        if sections.receivers:
            name = next(iter(sections.receivers))
            yield f'route: nothing is sent to the receivers without it; add [route] receiver = "{name}"'
        return
    if sections.route.receiver is None and sections.receivers:
        yield "route.receiver: the top route needs a receiver"
    if sections.route.matchers:
        yield "route.matchers: the top route takes every alert; put matchers into [[route.routes]]"
    yield from _check_route(sections.route, "route", list(sections.receivers))


def _check_route(route: Route, path: str, receivers: list[str]) -> Iterator[str]:
    if route.receiver is not None and route.receiver not in receivers:
        yield f"{path}.receiver: no receiver is called {route.receiver!r}{suggest(route.receiver, receivers)}"
    for index, matcher in enumerate(route.matchers):
        try:
            parse_matcher(matcher)
        except ValueError as error:
            yield f"{path}.matchers[{index}]: {error}"
    if route.group_by is not None and len(set(route.group_by)) < len(route.group_by):
        yield f"{path}.group_by: a label stands there twice"
    for index, nested in enumerate(route.routes):
        yield from _check_route(nested, f"{path}.routes[{index}]", receivers)


def _check_exporters(sections: Sections) -> Iterator[str]:
    if sections.exporters.mlflow is None:
        return
    if fault := find_address_fault(sections.exporters.mlflow.tracking_uri):
        yield f"exporters.mlflow.tracking_uri: {fault}"
    if sections.log.kind == "memory":
        yield "exporters.mlflow: the exporter reads the log's file, and a log in memory has none; leave out log.kind"


def _check_follower(sections: Sections) -> Iterator[str]:
    follower = sections.follower
    for name in ("interval", "timeout"):
        if parse_duration(getattr(follower, name)) < SECOND:
            yield f"follower.{name}: must be at least 1s"
    if follower.providers is not None and not follower.providers:
        yield "follower.providers: names nobody; leave it out to follow all, or set follower.enabled = false"
    if follower.enabled and sections.log.kind == "memory":
        yield "follower.enabled: the follower reads the log's file, and a log in memory has none; leave out log.kind"


def _check_rules(rules: Rules) -> Iterator[str]:
    seen: dict[str, int] = {}
    yield from _check_lifecycle(rules.lifecycle)
    for index, rule in enumerate(rules.threshold):
        path = f"rules.threshold[{index}]"
        if rule.name in seen:
            yield f"{path}.name: {rule.name!r} is already the name of rules.threshold[{seen[rule.name]}]"
        seen.setdefault(rule.name, index)
        yield from check_threshold(rule, path)
    yield from _check_cost(rules.cost)
    if rules.training.enabled and not rules.training.loss_metrics:
        yield "rules.training.loss_metrics: name at least one loss, or set rules.training.enabled = false"


def _check_cost(rule: CostRule) -> Iterator[str]:
    amounts = {"caps": [cap.amount for cap in rule.caps], "budgets": [budget.amount for budget in rule.budgets]}
    for kind, named in amounts.items():
        for index, amount in enumerate(named):
            if not float(amount):
                yield f"rules.cost.{kind}[{index}].amount: must be more than 0"
    names: dict[str, int] = {}
    for index, budget in enumerate(rule.budgets):
        if budget.name in names:
            path = f"rules.cost.budgets[{index}].name"
            yield f"{path}: {budget.name!r} is already the name of rules.cost.budgets[{names[budget.name]}]"
        names.setdefault(budget.name, index)


def _check_lifecycle(rule: LifecycleRule) -> Iterator[str]:
    stuck, silent = rule.stuck, rule.silent
    limits = {name: text for name in ("created", "queued", "running") if (text := getattr(stuck, name)) is not None}
    limits |= {name: getattr(stuck, name) for name in ("least", "cap_created", "cap_queued", "cap_running")}
    for name, text in limits.items():
        if not 0 < parse_duration(text) < parse_duration(stuck.give_up):
            yield f"rules.lifecycle.stuck.{name}: must be more than 0 and less than give_up ({stuck.give_up})"
    if parse_duration(silent.after) < MINUTE:
        yield "rules.lifecycle.silent.after: must be at least 1m, for heartbeats come every 30 s"
    if parse_duration(silent.give_up) <= parse_duration(silent.after):
        yield "rules.lifecycle.silent.give_up: must be longer than after"
    names: dict[str, int] = {}
    for index, objective in enumerate(rule.queue):
        path = f"rules.lifecycle.queue[{index}]"
        if objective.name in names:
            first = f"rules.lifecycle.queue[{names[objective.name]}]"
            yield f"{path}.name: {objective.name!r} is already the name of {first}"
        names.setdefault(objective.name, index)
        if objective.scope == "project" and objective.backend is not None:
            yield f'{path}.backend: the budget of a project has no backend; leave it out, or set scope = "backend"'
