"""One process of a person: it numbers its events as the SDK does, and hands them to the recording."""

from typing import Any

import numpy as np
from msgspec import Struct

from quantum_mlops.events import (
    Circuit,
    Context,
    Cost,
    Event,
    Footprint,
    Job,
    Money,
    Outcomes,
    ProviderTimes,
    RunEnded,
    RunHeartbeat,
    RunStarted,
    ShotsMeasured,
    type_name,
)  # fmt: skip
from quantum_mlops.events.run import Failure
from week.calendar import SECOND, moment
from week.devices import Device

HEARTBEAT = 300 * SECOND
QUBITS = [0, 1, 2, 3]
CANARY = "c1:5f0c3a9d1b7e42608c1d9f3a6b2e7d10"


class Process:
    """One run. Times are the emitter's; the recording says when they reach the log."""

    def __init__(self, recording: "list[Event]", person: str, number: int, project: str, run: str) -> None:
        self.recording = recording
        self.source = f"qml://{person}-laptop/{np.random.default_rng([number, 77]).bytes(6).hex()}"
        self.project, self.run = project, run
        self.random = np.random.default_rng([number, 78])
        self._jobs = 0
        self._beat = 0

    def emit(self, time: int, short: str, data: Struct, step: int | None = None) -> None:
        """Record one event; measurements and metrics are of the bulk stream, as in the SDK."""
        stream = 1 if short in {"metric.logged", "shots.measured", "canary.measured"} else 0
        self.recording.append(
            Event(
                id="unnumbered", source=f"{self.source}/{stream + 1}", type=type_name(short),
                time=time, partitionkey=self.project, project=self.project,
                context=Context(runid=self.run, step=step), data=data,
            )
        )  # fmt: skip

    def begin(self, time: int, name: str) -> None:
        """The run starts."""
        self._beat = time
        self.emit(time, "run.started", RunStarted(name=name, host=self.source.split("/")[2]))

    def beat(self, time: int) -> None:
        """Heartbeats up to `time`: a run that waits for a job is alive."""
        while self._beat + HEARTBEAT <= time:
            self._beat += HEARTBEAT
            self.emit(self._beat, "run.heartbeat", RunHeartbeat(uptime_seconds=float(self._beat - time) / SECOND + 1e5))

    def end(self, time: int, seconds: float, status: Any = "completed") -> None:
        """The run ends."""
        self.beat(time)
        self.emit(time, "run.ended", RunEnded(status=status, duration_seconds=seconds))

    def job(
        self, time: int, device: Device, shots: int, step: int | None = None, *, role: str | None = None,
        session: str | None = None, stuck_until: int | None = None, queue_seconds: float | None = None,
    ) -> tuple[int, bool]:  # fmt: skip
        """Run a job from its submission on; return when its result is there and whether it has one."""
        job_id = f"{self.run}-{self._jobs:04d}"
        self._jobs += 1
        wait = device.queue_seconds(self.random) if queue_seconds is None else queue_seconds
        seconds = device.run_seconds * float(np.exp(0.1 * self.random.normal()))
        failed = bool(self.random.random() < device.failure_share(time))
        estimate, version = device.price(shots, device.run_seconds, time)
        base = {
            "job_id": job_id, "provider": device.provider, "backend": device.name, "primitive": "sampler", "role": role,
            "session_id": session,
        }  # fmt: skip
        money = Money(amount=str(estimate), currency="USD", price_version=version, source="price book")
        created = Job(
            **base, circuits=[Circuit(identity=CANARY, width=4, depth=20, two_qubit_gates=9)], shots_requested=shots,
            executions=1, cost=Cost(estimated=money), footprint=self._footprint(device, time),
        )  # fmt: skip
        self.emit(time, "job.created", created, step)
        queued = time + SECOND
        self.emit(queued, "job.queued", Job(**base, times=ProviderTimes(queued=moment(queued))), step)
        started = queued + int(wait * SECOND) if stuck_until is None else stuck_until
        self.beat(started)
        times = ProviderTimes(queued=moment(queued), started=moment(started))
        self.emit(started, "job.running", Job(**base, times=times), step)
        done = started + int(seconds * SECOND)
        times = ProviderTimes(queued=moment(queued), started=moment(started), ended=moment(done))
        if failed:
            failure = Failure(code="1517", message="internal error of the backend")
            self.emit(done, "job.failed", Job(**base, times=times, failure=failure), step)
            return done, False
        final, version = device.price(shots, seconds, time)
        self.emit(done, "job.completed", Job(**base, times=times, shots_executed=shots, executions=1), step)
        money = Money(amount=str(final), currency="USD", price_version=version, source="provider")
        self.emit(done + SECOND, "job.billed", Job(**base, shots_executed=shots, cost=Cost(final=money)), step)
        return done, True

    def canary(self, time: int, device: Device, step: int | None = None, session: str | None = None) -> int:
        """Run the canary, 4,096 shots; return when it is done."""
        done, worked = self.job(time, device, 4096, step, role="canary", session=session)
        if worked:
            counts = self.random.multinomial(4096, device.canary(done))
            kept = [index for index in range(16) if counts[index]]
            data = ShotsMeasured(
                job_id=f"{self.run}-{self._jobs - 1:04d}", backend=device.name, provider=device.provider, circuit=CANARY,
                parameters="p1:0", reference="canary", shots=4096, footprint=self._footprint(device, done),
                outcomes=Outcomes(bits=4, keys=bytes(kept), counts=[int(counts[index]) for index in kept]),
            )  # fmt: skip
            self.emit(done, "canary.measured", data, step)
        return done

    def _footprint(self, device: Device, time: int) -> Footprint:
        edges = [(0, 1), (1, 2), (2, 3)]
        return Footprint(qubits=QUBITS, edges=edges, calibration_id=device.calibration_id(time))
