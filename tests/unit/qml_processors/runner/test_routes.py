"""Kept routes: a processor that says its keys follow from the run is asked once a run, until the series goes."""

from msgspec import Struct

from qml_processors.base import Forget
from qml_processors.runner.partition import Partition
from qml_processors.runner.series import Series, Slot
from quantum_mlops.codec import decode, encode
from quantum_mlops.events import Context, Cost, Event, Job, MetricLogged, Money, RunHeartbeat, type_name

START = 1_800_000_000_000_000_000


class Nothing(Struct):
    pass


def event(kind="metric.logged", run="r", data=None):
    found = Event(
        id="1", source="s", type=type_name(kind), time=START, partitionkey="p", project="p",
        context=Context(runid=run), data=data or MetricLogged(values={"loss": 1.0}), ingestedtime=START,
    )  # fmt: skip
    return decode(encode(found))


def asking(bench, **attributes):
    """Return a processor that notes the runs it was asked about."""

    class Asked(bench.Toy):
        name = "asked"
        state = Nothing
        takes = by_run = (MetricLogged,)

        def __init__(self):
            self.runs = []

        def keys(self, event):
            self.runs.append(event.context.runid)
            if event.context.runid == "bad":
                raise ValueError("no")
            return (event.context.runid,)

        def apply(self, state, event, rules):
            return (Forget(),)

    found = Asked()
    for name, value in attributes.items():
        setattr(found, name, value)
    return found


def routes_of(*processors):
    partition = Partition(0, [Slot(processor) for processor in processors])
    return partition, lambda found: partition.routes.find(partition, found)


def keys_of(route):
    return [series.key for series in route]


def test_a_run_s_route_is_found_once_and_holds_the_same_series(bench):
    asked = asking(bench)
    _, find = routes_of(asked)
    first = find(event())
    assert keys_of(first) == ["r"]
    assert find(event()) is first
    assert keys_of(find(event(run="other"))) == ["other"]
    assert asked.runs == ["r", "other"]


def test_one_processor_that_must_be_asked_makes_all_be_asked(bench):
    asked, other = asking(bench), asking(bench, name="other", by_run=())
    _, find = routes_of(asked, other)
    find(event())
    assert keys_of(find(event())) == ["r", "r"]
    assert asked.runs == other.runs == ["r", "r"]


def test_a_class_that_a_processor_does_not_take_is_never_shown_to_it(bench):
    asked = asking(bench)
    _, find = routes_of(asked)
    assert find(event("run.heartbeat", data=RunHeartbeat(uptime_seconds=1.0))) == []
    assert not asked.runs


def test_a_processor_without_the_attributes_is_asked_about_everything(bench):
    asked = asking(bench, takes=None, by_run=())
    _, find = routes_of(asked)
    find(event("run.heartbeat", data=RunHeartbeat(uptime_seconds=1.0)))
    find(event())
    assert asked.runs == ["r", "r"]


def test_keys_that_raise_are_asked_again_and_dead_lettered_each_time(bench):
    asked = asking(bench)
    partition, find = routes_of(asked)
    assert find(event(run="bad")) == find(event(run="bad")) == []
    assert len(partition.outputs.dead_letters) == 2


def test_a_series_that_goes_leaves_no_route_behind(bench):
    asked = asking(bench)
    partition, find = routes_of(asked)
    (series,) = find(event())
    partition.routes.drop(series)
    slot = partition.slots["asked"]
    del slot.series["p", "r"]
    (again,) = find(event())
    assert isinstance(again, Series)
    assert again is not series
    assert slot.series["p", "r"] is again


def test_jobs_are_told_apart_by_type_and_backend_and_those_with_a_cost_are_always_asked_about(bench):
    asked = asking(bench, takes=(Job,), by_run=(Job,))
    _, find = routes_of(asked)
    plain = Job(job_id="j", backend="hanoi")
    for kind in ("job.created", "job.completed", "job.created"):
        find(event(kind, run=kind, data=plain))
    find(event("job.created", run="job.created", data=Job(job_id="k", backend="kyiv")))
    assert asked.runs == ["job.created", "job.completed", "job.created"]
    dear = Job(job_id="j", backend="hanoi", cost=Cost(final=Money(amount="1", currency="USD")))
    for _ in range(2):
        find(event("job.completed", run="dear", data=dear))
    assert asked.runs[3:] == ["dear", "dear"]
