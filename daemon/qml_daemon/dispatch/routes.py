"""Routes: which receivers an alert goes to, and how it is grouped on the way. Words of Alertmanager."""

import json
from collections.abc import Iterator, Mapping, Sequence

from msgspec import Struct

from quantum_mlops.config.duration import parse_duration
from quantum_mlops.config.matcher import matches, parse_matcher
from quantum_mlops.config.sections import GROUP_INTERVAL, GROUP_WAIT, REPEAT_INTERVAL, Route
from quantum_mlops.events import Matcher

ALL_LABELS = "..."


class Path(Struct, frozen=True):
    """A route with everything inherited. `name` is its place in the tree (`route`, `route/0`); times in ns."""

    name: str
    receiver: str
    group_by: Sequence[str]
    group_wait: int
    group_interval: int
    repeat_interval: int
    matchers: Sequence[Matcher]
    continues: bool
    routes: Sequence["Path"]

    def group_labels(self, labels: Mapping[str, str]) -> dict[str, str]:
        """Return the labels that make the group of an alert with these labels."""
        if ALL_LABELS in self.group_by:
            return dict(sorted(labels.items()))
        return {name: labels[name] for name in self.group_by if name in labels}

    def group_key(self, labels: Mapping[str, str]) -> str:
        """Return the name of the group of an alert with these labels: readable, and the same over restarts."""
        return f"{self.name}:{self.receiver}:{json.dumps(self.group_labels(labels), sort_keys=True)}"


def build_paths(route: Route) -> Path:
    """Return the tree with inheritance applied; `route` is the checked top route."""
    top = Path(
        name="",
        receiver=route.receiver or "",
        group_by=(),
        group_wait=parse_duration(GROUP_WAIT),
        group_interval=parse_duration(GROUP_INTERVAL),
        repeat_interval=parse_duration(REPEAT_INTERVAL),
        matchers=(),
        continues=False,
        routes=(),
    )
    return _build(route, "route", top)


def find_paths(path: Path, labels: Mapping[str, str]) -> Iterator[Path]:
    """Yield the routes that take an alert with these labels: the deepest matching ones, in their order."""
    taken = False
    for nested in path.routes:
        if all(matches(matcher, labels) for matcher in nested.matchers):
            yield from find_paths(nested, labels)
            taken = True
            if not nested.continues:
                return
    if not taken:
        yield path


def _build(route: Route, name: str, parent: Path) -> Path:
    def time(text: str | None, inherited: int) -> int:
        return inherited if text is None else parse_duration(text)

    own = Path(
        name=name,
        receiver=route.receiver or parent.receiver,
        group_by=parent.group_by if route.group_by is None else tuple(route.group_by),
        group_wait=time(route.group_wait, parent.group_wait),
        group_interval=time(route.group_interval, parent.group_interval),
        repeat_interval=time(route.repeat_interval, parent.repeat_interval),
        matchers=tuple(map(parse_matcher, route.matchers)),
        continues=route.continue_,
        routes=(),
    )
    nested = tuple(_build(child, f"{name}/{index}", own) for index, child in enumerate(route.routes))
    return Path(
        own.name,
        own.receiver,
        own.group_by,
        own.group_wait,
        own.group_interval,
        own.repeat_interval,
        own.matchers,
        own.continues,
        nested,
    )
