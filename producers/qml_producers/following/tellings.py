"""What a provider says of a job becomes events: a status that is news, the end with its facts, the bill.

An event's id follows from what it tells. So a follower that was killed and repeats itself sends what is known by
(source, id), and the log's readers drop it. The source is no `qml://` one: those count their events.
"""

from hashlib import blake2b

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from qml_producers.following.followed import FollowedJob
from qml_producers.observing.door import Sight
from quantum_mlops.events import Job
from quantum_mlops.events.job_status import STATUS_RANKS, TERMINAL_STATUSES

SOURCE = "urn:quantum-mlops:follower:"
_ID_LENGTH = 440
_LABEL_LENGTH = 512


class Telling(Struct, frozen=True, gc=False):
    """One event to be sent: `kind` is the type's short name, `digest` that of what it tells."""

    kind: str
    source: str
    id: str
    data: Job
    digest: str


def tell(job: FollowedJob, sight: Sight) -> list[Telling]:
    """Return what of a look is news, in order. Changes nothing: `note` does, once the events are safe."""
    status = sight.status if sight.status in STATUS_RANKS else "unknown"
    found: list[Telling] = []
    if status in TERMINAL_STATUSES:
        if job.status != status or (not job.timed and sight.times is not None):
            found.append(_telling(job, f"job.{status}", _facts(job, sight)))
    elif status != "created" and _is_higher(status, job.status):
        found.append(_telling(job, f"job.{status}", _facts(job, sight)))
    elif status == "unknown" and not job.ended and _words(sight, status) != job.words:
        found.append(_telling(job, "job.unknown", _facts(job, sight)))
    if status in TERMINAL_STATUSES and sight.is_billed and not job.billed:
        bill = _bill(job, sight)
        if bill is not None:
            found.append(_telling(job, "job.billed", bill))
    return [one for one in found if job.told.get(one.kind) != one.digest]


def tell_lost(job: FollowedJob, reason: str) -> list[Telling]:
    """Return what is told of a job that its provider does not know, or does not tell us about."""
    text = f"no longer told to the follower: {reason}"[:_LABEL_LENGTH]
    told = _telling(job, "job.unknown", replace(job.job, status_text=text))
    return [] if job.ended or job.told.get(told.kind) == told.digest else [told]


def note(job: FollowedJob, tellings: list[Telling], sight: Sight | None, now: int) -> None:
    """Remember what was told."""
    for one in tellings:
        job.told[one.kind] = one.digest
        kind = one.kind.removeprefix("job.")
        if kind == "billed":
            job.billed = True
        else:
            job.rise(kind, now)
        if kind == "unknown":
            job.words = one.data.status_text
        job.timed = job.timed or (one.data.times is not None and kind in TERMINAL_STATUSES)
    if sight is not None and sight.is_billed and sight.status in TERMINAL_STATUSES:
        job.billed = True


def _is_higher(status: str, known: str | None) -> bool:
    return STATUS_RANKS[status] > STATUS_RANKS.get(known or "", 0)


def _words(sight: Sight, status: str) -> str | None:
    if sight.status_text is not None:
        return sight.status_text[:_LABEL_LENGTH]
    return sight.status[:_LABEL_LENGTH] if status == "unknown" and sight.status != "unknown" else None


def _facts(job: FollowedJob, sight: Sight) -> Job:
    status = sight.status if sight.status in STATUS_RANKS else "unknown"
    return replace(
        job.job,
        status_text=_words(sight, status),
        times=sight.times,
        shots_executed=sight.shots_executed,
        queue_position=sight.queue_position,
        pending_jobs=sight.pending_jobs,
        qpu_seconds=sight.qpu_seconds,
        queue_seconds=sight.queue_seconds,
        predicted_queue_seconds=sight.predicted_queue_seconds,
        predicted_execution_seconds=sight.predicted_execution_seconds,
        cost=sight.cost,
        failure=sight.failure,
    )


def _bill(job: FollowedJob, sight: Sight) -> Job | None:
    """Return the bill, None where it says nothing.

    Times and failure are the status event's alone: a bill may come first, when nobody can place them yet.
    """
    if sight.qpu_seconds is None and (sight.cost is None or sight.cost.final is None):
        return None
    return replace(
        job.job,
        circuits=job.circuits,
        shots_executed=sight.shots_executed,
        qpu_seconds=sight.qpu_seconds,
        cost=sight.cost,
    )


def _telling(job: FollowedJob, kind: str, data: Job) -> Telling:
    firm = replace(data, queue_position=None, pending_jobs=None)
    digest = blake2b(msgspec.json.encode([job.context, firm], order="deterministic"), digest_size=8).hexdigest()
    source = f"{SOURCE}{job.provider}"
    return Telling(kind, source, f"{job.job.job_id[:_ID_LENGTH]}/{kind.removeprefix('job.')}/{digest}", data, digest)
