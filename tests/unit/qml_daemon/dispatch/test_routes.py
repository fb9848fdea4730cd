"""Routes: inheritance, order, continue, grouping."""

from qml_daemon.dispatch.routes import build_paths, find_paths
from quantum_mlops.clock import HOUR, MINUTE, SECOND
from quantum_mlops.config.sections import Route

ROUTE = Route(
    receiver="team",
    group_by=["rule"],
    routes=[
        Route(matchers=['severity="critical"'], receiver="oncall", continue_=True, group_wait="0s"),
        Route(matchers=['backend=~"ibm_.*"'], routes=[Route(matchers=['project="iris"'], group_by=["..."])]),
        Route(receiver="rest", matchers=['severity="critical"']),
    ],
)


def found(**labels: str) -> list[tuple[str, str]]:
    return [(path.name, path.receiver) for path in find_paths(build_paths(ROUTE), labels)]


def test_what_no_nested_route_takes_goes_to_the_top() -> None:
    assert found(severity="info") == [("route", "team")]


def test_continue_goes_on_to_the_siblings_and_the_first_without_it_ends_the_search() -> None:
    assert found(severity="critical", backend="ibm_hanoi") == [("route/0", "oncall"), ("route/1", "team")]
    assert found(severity="critical", backend="aria") == [("route/0", "oncall"), ("route/2", "rest")]


def test_the_deepest_matching_route_takes_the_alert_and_inherits() -> None:
    (path,) = find_paths(build_paths(ROUTE), {"backend": "ibm_hanoi", "project": "iris"})
    assert (path.name, path.receiver, path.group_by) == ("route/1/0", "team", ("...",))
    assert (path.group_wait, path.group_interval, path.repeat_interval) == (30 * SECOND, 5 * MINUTE, 4 * HOUR)


def test_groups_are_made_of_the_named_labels_only() -> None:
    top = build_paths(ROUTE)
    one, two = {"rule": "A", "backend": "x"}, {"rule": "A", "backend": "y"}
    assert top.group_key(one) == top.group_key(two) == 'route:team:{"rule": "A"}'
    (fine,) = find_paths(top, {"backend": "ibm_hanoi", "project": "iris"})
    assert fine.group_key(one) != fine.group_key(two)
