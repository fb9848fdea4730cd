"""What a threshold rule needs, and what it cannot have, by its kind."""

import math
from collections.abc import Iterator

from quantum_mlops.clock import DAY
from quantum_mlops.config.duration import parse_duration
from quantum_mlops.config.rules import ThresholdRule

LONGEST_WINDOW = 2 * DAY
_NOT_OF_KIND = {
    "metric": ("event", "currency", "window"),
    "cost": ("event", "metric", "absent", "below"),
    "count": ("currency", "metric", "absent"),
    "rate": ("currency", "metric", "absent"),
}
_NEEDED = {"metric": "metric", "cost": "currency", "count": "event", "rate": "event"}


def check_threshold(rule: ThresholdRule, path: str) -> Iterator[str]:
    """Yield one line a mistake, with the path of its key and the mend."""
    needed = _NEEDED[rule.kind]
    if not getattr(rule, needed):
        yield f"{path}: {needed} is missing"
    for key in _NOT_OF_KIND[rule.kind]:
        if getattr(rule, key) not in (None, ""):
            yield f"{path}.{key}: a rule of kind {rule.kind!r} has none; leave it out, or set another kind"
    if rule.phase is not None and rule.kind != "metric":
        yield f"{path}.phase: only a metric has one; leave it out"
    if rule.status is not None and rule.event != "run.ended":
        yield f'{path}.status: only event = "run.ended" has one; leave it out'
    yield from _check_bounds(rule, path)
    yield from _check_scope(rule, path)


def _check_bounds(rule: ThresholdRule, path: str) -> Iterator[str]:
    bounds = [bound for bound in (rule.above, rule.below) if bound is not None]
    if rule.absent is None:
        if len(bounds) != 1:
            yield f"{path}: give exactly one of above and below, not {'both' if bounds else 'neither'}"
    elif bounds:
        yield f"{path}: give exactly one of above, below and absent"
    elif not parse_duration(rule.absent):
        yield f'{path}.absent: must be more than 0, such as "10m"'
    elif parse_duration(rule.for_) or parse_duration(rule.keep_firing_for):
        yield f"{path}: absent says by itself how long; leave out for and keep_firing_for"
    if not all(map(math.isfinite, bounds)):
        yield f"{path}: a bound must be a finite number"


def _check_scope(rule: ThresholdRule, path: str) -> Iterator[str]:
    if rule.per == "job" and rule.kind != "cost":
        yield f'{path}.per: "job" is for kind = "cost"; choose "run" or "project"'
    if rule.per == "project" and rule.kind == "metric":
        yield f'{path}.per: a metric is watched in each run; leave it out, or limit the rule by project = "..."'
    if rule.per == "project" and rule.event == "metric.logged":
        yield f'{path}.event: metrics are counted in each run; leave out per = "project"'
    if rule.window is None:
        if rule.kind == "rate" or (rule.per == "project" and rule.kind != "metric"):
            yield f'{path}: window is missing; write it like window = "1h"'
        elif rule.kind == "count" and rule.below is not None:
            yield f"{path}: a count below a bound needs a window, since every run starts at 0"
    elif rule.per == "job":
        yield f"{path}.window: a job has one cost; leave it out"
    elif not 0 < parse_duration(rule.window) <= LONGEST_WINDOW:
        yield f"{path}.window: must be more than 0 and at most 2d"
