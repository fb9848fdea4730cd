"""A follower that dies anywhere, again and again: each job comes to its end and its bill, each said under one id."""

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from qml_producers.following.followed import FollowedJob
from qml_producers.following.jobs import Jobs
from qml_producers.following.plan import Plan
from qml_producers.observing.door import Sight
from quantum_mlops.clock import SECOND
from quantum_mlops.events import type_name

STEPS = ("trainer", "read", "look", "look", "look", "refused", "goes_on", "save", "deliver", "crash")


class World:
    """A log, a spool, a provider whose jobs go on with each look, and what the follower had stored when it died."""

    def __init__(self, wrapper, money, times, told):
        self.log, self.spool, self.at, self.looks = [], [], 0.0, 0
        self.saved = (0, {}, {})
        self.trainer = [wrapper(job).tell(status, 0) for job, statuses in told.items() for status in statuses]
        ended = times(started=2, ended=3)
        self.life = [
            Sight(status="queued", times=times()),
            Sight(status="running", times=times(started=2)),
            Sight(status="completed", times=ended, shots_executed=5),
            Sight(status="completed", times=ended, shots_executed=5, qpu_seconds=1.0, cost=money("1"), is_billed=True),
        ]
        self.progress = dict.fromkeys(told, 0)
        self.crash()

    @property
    def now(self):
        return 1_800_000_000 * SECOND + round(self.at * SECOND)

    def crash(self):
        self.jobs = Jobs(["ibm"])
        self.plan = Plan(self.jobs, ["ibm"], 1.0, 6000)
        self.position, jobs, over = self.saved
        for key, data in jobs.items():
            self.jobs.restore(key, msgspec.msgpack.decode(data, type=FollowedJob))
        for key, since in over.items():
            self.jobs.restore(key, since)

    def save(self):
        jobs = {key: msgspec.msgpack.encode(self.jobs.get(key)) for key in self.jobs}
        self.saved = (self.position, jobs, dict(self.jobs.over))

    def step(self, name):
        getattr(self, name)()

    def read(self):
        for event in self.log[self.position :]:
            self.jobs.take(event, self.now)
        self.position = len(self.log)

    def look(self, *, refused=False):
        found = self.plan.next_look("ibm", self.now, self.at)
        if found is None:
            return
        self.at, key = found
        job = self.plan.call("ibm", key, self.at)
        if refused:
            assert self.plan.refuse(key, "404", self.now, self.at) == []
            return
        sight = self.life[self.progress[key[1]]]
        told = self.plan.judge(key, sight)
        self.spool += [
            msgspec.structs.replace(self.log[0], id=one.id, source=one.source, type=type_name(one.kind), data=one.data, context=job.context)
            for one in told
        ]  # fmt: skip
        self.plan.settle(key, sight, told, self.now, self.at)

    def goes_on(self):
        for job, place in self.progress.items():
            self.progress[job] = min(place + 1, len(self.life) - 1)

    def refused(self):
        if all(job.refusals == 0 for job in self.jobs.of("ibm").values()):
            self.look(refused=True)

    def deliver(self):
        self.log += self.spool
        self.spool.clear()

    def trainer_tells(self):
        if self.trainer:
            self.log.append(self.trainer.pop(0))


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.sampled_from(STEPS), max_size=60),
    st.sampled_from([("created",), ("created", "running"), ("created", "completed")]),
)
def test_each_job_is_brought_to_its_bill_and_nothing_is_said_under_two_ids(wrapper, billed, at, steps, second):
    world = World(wrapper, billed, at, {"a": ("created",), "b": second})
    for name in steps:
        world.step("trainer_tells" if name == "trainer" else name)
    while world.trainer:
        world.trainer_tells()
    for _ in range(12):
        for name in ("deliver", "read", "look", "look", "goes_on", "save"):
            world.step(name)
    world.deliver()
    for job in "ab":
        kinds = {}
        for event in world.log:
            if event.data.job_id == job and event.source.startswith("urn:"):
                kinds.setdefault(event.type.split(".")[2], set()).add(event.id)
        assert kinds.keys() >= {"completed", "billed"}
        assert all(len(ids) == 1 for ids in kinds.values())
    assert len(world.jobs) == 0
