"""Seeded streams of mixed events as several projects send them, with what makes homes differ where they are wrong.

Every event bears its `ingestedtime`, as an import's does: so every home of the log sees the same times, and what it
derives may be compared byte by byte. Ticks and rules go to every partition; some events come twice, some sources skip
numbers, some bytes are no events at all.
"""

import hashlib
import random
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from qml_processors.runner.rules_log import config_event, tick_event
from quantum_mlops.clock import DAY, HOUR, MINUTE, SECOND
from quantum_mlops.config.rules import (
    CostRule,
    DriftRule,
    LifecycleRule,
    Rules,
    SummariesRule,
    ThresholdRule,
    TrainingRule,
)
from quantum_mlops.config.rules.cost import Cap
from quantum_mlops.events import (
    Circuit,
    ConfigApplied,
    Context,
    Cost,
    Event,
    Footprint,
    Job,
    MetricLogged,
    Money,
    Outcomes,
    RunEnded,
    RunHeartbeat,
    RunStarted,
    ShotsMeasured,
    Tick,
    type_name,
)

START = 1_780_000_000 * SECOND
STEP = SECOND // 3
PROJECTS = ("iris", "h2", "lih", "maxcut", "kernels")
BACKENDS = ("ibm_hanoi", "ionq_aria", "iqm_garnet")
CIRCUIT = "c1:" + "5f" * 16
GARBAGE = (
    b"", b"\xff\xfe\x00", b"{", b"null", b"[]", b'{"id":1}', b'{"specversion":"1.0","id":"1","source":"s"}',
    b'{"specversion":"1.0","id":"1","source":"s","type":"quantum_mlops.metric.logged.v1","time":"never"}',
    b"\x00" * 4000,
)  # fmt: skip

Item = Event | bytes
"""What a story tells in order: events, and bytes that are none."""


class Truth(Struct, frozen=True):
    """How many different events a project sent, and a sum over their identities."""

    events: int
    digest: int


def is_for_all(item: Item) -> bool:
    """Whether every partition gets it: ticks and rules."""
    return isinstance(item, Event) and isinstance(item.data, (Tick, ConfigApplied))


def identify(event: Event) -> int:
    """Return a number that stands for an event's identity in a sum."""
    return int.from_bytes(hashlib.blake2b(f"{event.source}\0{event.id}".encode(), digest_size=6).digest(), "big")


def tell_truth(items: Sequence[Item]) -> dict[str, Truth]:
    """Return by project what a counter must have counted: each event once."""
    seen: dict[tuple[str, str, str], Event] = {}
    for item in items:
        if isinstance(item, Event) and not is_for_all(item):
            seen.setdefault((item.partitionkey, *item.key), item)
    counts, digests = Counter[str](), Counter[str]()
    for event in seen.values():
        counts[event.partitionkey] += 1
        digests[event.partitionkey] += identify(event)
    return {project: Truth(counts[project], digests[project]) for project in counts}


def mixed_story(seed: int, count: int, *, runs: int = 15, garbage: bool = True) -> list[Item]:
    """Return `count` events of `runs` runs, and the ticks, rules and garbage between and after them."""
    chance = random.Random(seed)
    writers = [_Writer(chance, seed, number) for number in range(runs)]
    changes = dict(zip((0, count // 3, count // 2, count * 3 // 4), _rules(), strict=True))
    items: list[Item] = []
    recent: list[Event] = []
    now, ticks, tick_at = START, 0, START
    for number in range(count):
        now += int(STEP * chance.uniform(0.0, 2.0))
        if number in changes:
            items.append(_config(changes[number], now, first=number == 0))
        if now >= tick_at:
            items.append(_tick(ticks, now))
            ticks, tick_at = ticks + 1, now + MINUTE
        if garbage and chance.random() < 0.0005:
            items.append(chance.choice(GARBAGE))
        if recent and chance.random() < 0.02:
            items.append(replace(chance.choice(recent), ingestedtime=now))
            continue
        event = replace(writers[chance.randrange(runs)].write(now, number / count), ingestedtime=now)
        items.append(event)
        recent = [*recent[-40:], event]
    for later in (10 * MINUTE, HOUR, 6 * HOUR, DAY, 2 * DAY, 9 * DAY):
        items.append(_tick(ticks, now + later))
        ticks += 1
    return items


def _tick(number: int, now: int) -> Event:
    return replace(tick_event("qml://service/000000000001/0", number, now), ingestedtime=now)


def _config(rules: Rules, now: int, *, first: bool) -> Event:
    event = config_event(rules, "qml://daemon/c/0", effective=0 if first else now + 5 * SECOND, time=now)
    return replace(event, ingestedtime=now)


def _rules() -> Iterator[Rules]:
    high = ThresholdRule(name="HighLoss", metric="loss", above=1.0)
    low = ThresholdRule(name="LowAccuracy", metric="accuracy", below=0.8, for_="2m")
    cost = CostRule(caps=[Cap(per="day", amount="400", currency="USD")])
    yield Rules(threshold=[high, low], drift=DriftRule(warmup=5), summaries=SummariesRule(window="5m"), cost=cost)
    many = ThresholdRule(name="Failures", kind="count", event="job.failed", above=3, window="1h", per="project")
    gone = ThresholdRule(name="NoLoss", metric="loss", absent="10m")
    yield Rules(threshold=[high, many, gone], drift=DriftRule(warmup=8), summaries=SummariesRule(window="1m"))
    yield Rules(threshold=[replace(low, for_="0s")], training=TrainingRule(stall_steps=40), cost=cost)
    yield Rules(threshold=[high, low, many, gone], lifecycle=LifecycleRule(), summaries=SummariesRule(window="10m"))


class _Writer:
    """One run at a time of one project, numbered as the SDK numbers; every third source is a stranger's."""

    def __init__(self, chance: random.Random, seed: int, number: int) -> None:
        self.chance = chance
        self.random = np.random.default_rng([seed, number])
        self.number = number
        self.project = PROJECTS[number % len(PROJECTS)]
        self.backend = BACKENDS[number % len(BACKENDS)]
        self.counters = [0, 0]
        self.life = 0
        self.step = 0
        self.jobs: list[list[Any]] = []  # [id, statuses left]
        self.usual = self.random.dirichlet(np.full(16, 4.0))
        self.started = False

    def write(self, now: int, progress: float) -> Event:  # noqa: PLR0911 - one for each kind
        """Return the next event; `progress` from 0 to 1 lets the device go bad in the middle."""
        if not self.started:
            self.started = True
            return self._event(now, "run.started", RunStarted(name=f"vqc-{self.number}", host="lab"))
        self.step += 1
        place = self.chance.random()
        if place < 0.45:
            loss = 2.0 if self.chance.random() < 0.01 else 0.5 + self.chance.random() / 3
            bad = 0.4 < progress < 0.6 and self.chance.random() < 0.8
            values = {"loss": loss, "accuracy": 0.5 if bad else 0.9}
            return self._event(now, "metric.logged", MetricLogged(values=values, phase="train"))
        if place < 0.80:
            return self._job(now, progress)
        if place < 0.92:
            return self._measure(now, "canary", progress)
        if place < 0.97:
            return self._measure(now, None, progress)
        if place < 0.999 or self.step < 20:
            return self._event(now, "run.heartbeat", RunHeartbeat(uptime_seconds=float(self.step)))
        ended = RunEnded(status=self.chance.choice(["completed", "failed"]), duration_seconds=60.0)
        event = self._event(now, "run.ended", ended)
        self.life, self.step, self.jobs, self.started = self.life + 1, 0, [], False
        return event

    def _job(self, now: int, progress: float) -> Event:
        if not self.jobs or self.chance.random() < 0.2:
            last = "job.failed" if self.chance.random() < (0.4 if progress > 0.7 else 0.05) else "job.completed"
            job_id = f"j{self.number}-{self.life}-{self.step}"
            self.jobs.append([job_id, ["job.billed", last, "job.running", "job.queued", "job.created"]])
        job = self.chance.choice(self.jobs[:5])
        status = job[1].pop()
        if not job[1] or status == "job.failed":
            self.jobs.remove(job)
        price = 8.0 if 0.5 < progress < 0.55 else 0.5 + self.chance.random() / 10
        money = Money(amount=f"{price:.4f}", currency="USD", price_version="1", source="price book")
        cost = {"job.created": Cost(estimated=money), "job.billed": Cost(final=money)}.get(status)
        data = Job(
            job_id=job[0], provider="ibm", backend=self.backend, primitive="sampler", shots_requested=1024, cost=cost,
            circuits=[Circuit(identity=CIRCUIT, width=4, depth=20, two_qubit_gates=9)],
        )  # fmt: skip
        return self._event(now, status, data)

    def _measure(self, now: int, reference: Any, progress: float) -> Event:
        worse = self.backend == BACKENDS[0] and 0.45 < progress < 0.7
        share = 0.7 * self.usual + 0.3 / 16 * np.arange(16) / 7.5 if worse else self.usual
        counts = self.random.multinomial(2048, share / share.sum()).tolist()
        first = 4 * (self.number % 7)
        footprint = Footprint(qubits=[first, first + 1, first + 2, first + 3], calibration_id="k1:" + "0" * 16)
        data = ShotsMeasured(
            job_id=f"m{self.number}-{self.life}-{self.step}", backend=self.backend, circuit=CIRCUIT, shots=2048,
            reference=reference, footprint=footprint, outcomes=Outcomes(bits=4, keys=bytes(range(16)), counts=counts),
        )  # fmt: skip
        return self._event(now, "canary.measured" if reference else "shots.measured", data, 1)

    def _event(self, now: int, short: str, data: Any, stream: int = 0) -> Event:
        self.counters[stream] += self.chance.choice([1, 1, 1, 1, 1, 1, 1, 2])
        count = self.counters[stream]
        stranger = self.number % 3 == 2
        return Event(
            id=f"s-{stream}-{count}" if stranger else f"{count:016x}",
            source=f"https://lab/{self.number}" if stranger else f"qml://lab-{self.number}/0a1b2c3d4e5f/{stream + 1}",
            type=type_name(short), time=now - int(self.chance.random() * SECOND), partitionkey=self.project,
            project=self.project, context=Context(runid=f"run-{self.number}-{self.life}", step=self.step), data=data,
        )  # fmt: skip
