"""Sessions by a clock of the test's own, and the SDK's sessions on the stand-in for the service."""

import pytest
from qiskit_ibm_runtime import Batch, SamplerV2, Session

from qml_producers.ibm.sessions import Sessions
from qml_producers.observing.reports import Reports
from tests.providers.ibm import Fault
from tests.waiting import wait_for

pytestmark = pytest.mark.filterwarnings("ignore:The (Sampler|Estimator)V2 class is deprecated:DeprecationWarning")

KINDS = ("session.opened", "session.idle", "session.closed")


@pytest.fixture
def now():
    return [100.0]


@pytest.fixture
def sessions(recorder, now):
    found = Sessions(Reports(recorder), tell_seconds=3600, clock=lambda: now[0])
    yield found
    found.closed("s")


def told(events):
    return [(e.type.split(".")[2], e.data.wall_seconds, e.data.idle_seconds) for e in events(*KINDS)]


def test_a_session_is_idle_from_the_end_of_its_first_job_on_while_none_is_unfinished(sessions, now, events):
    sessions.opened("s", "ibm_hanoi")
    now[0] += 50  # nothing ran yet: it is not charged
    sessions.tell_idle()
    sessions.joined("s", "ibm_hanoi", "a")
    sessions.joined("s", "ibm_hanoi", "b")
    now[0] += 5
    sessions.left("s", "a")
    now[0] += 7
    sessions.tell_idle()
    sessions.left("s", "b")
    now[0] += 20
    sessions.tell_idle()
    now[0] += 10
    sessions.tell_idle()
    sessions.joined("s", "ibm_hanoi", "c")
    now[0] += 1
    sessions.left("s", "c")
    now[0] += 4
    sessions.tell_idle()
    now[0] += 2
    sessions.closed("s")
    sessions.closed("s")
    sessions.tell_idle()
    assert told(events) == [
        ("opened", None, None),
        ("idle", 82.0, 20.0),
        ("idle", 92.0, 30.0),
        ("idle", 97.0, 4.0),
        ("closed", 99.0, 36.0),
    ]
    assert {(e.data.session_id, e.data.provider, e.data.backend) for e in events(*KINDS)} == {("s", "ibm", "ibm_hanoi")}


def test_the_end_of_a_job_that_is_told_twice_or_is_not_known_counts_once(sessions, now, events):
    sessions.joined("s", "ibm_hanoi", "a")
    sessions.left("s", "a")
    now[0] += 3
    sessions.left("s", "a")
    sessions.left("other", "a")
    now[0] += 3
    sessions.closed("s")
    assert told(events) == [("closed", None, 6.0)]  # opened elsewhere: since when is not known


def test_idle_sessions_are_told_while_nobody_does_anything(recorder, events):
    sessions = Sessions(Reports(recorder), tell_seconds=0.02)
    with recorder.run("the run in which it was opened") as run:
        sessions.opened("s", "ibm_hanoi")
    sessions.joined("s", "ibm_hanoi", "a")
    sessions.left("s", "a")
    wait_for(lambda: len(events("session.idle")) > 2, "idle sessions are told")
    thread = sessions._thread
    sessions.closed("s")
    thread.join(5)
    assert not thread.is_alive()
    idle = [event.data.idle_seconds for event in events("session.idle")]
    assert idle == sorted(idle)
    assert {event.context.runid for event in events(*KINDS)} == {run.id}


@pytest.mark.parametrize("mode", [Session, Batch])
def test_a_session_of_the_sdk_is_told_with_its_jobs(mode, installed, cloud, backend, bell, events):
    with mode(backend=backend) as session:
        jobs = [SamplerV2(session).run([bell]) for _ in range(2)]
        for job in jobs:
            job.result()
    assert [kind for kind, _, _ in told(events)] == ["opened", "closed"]
    closed = events("session.closed")[0].data
    assert closed.session_id == session.session_id
    assert closed.backend == "ibm_hanoi"
    assert 0 < closed.idle_seconds < closed.wall_seconds
    assert [event.data.session_id for event in events("job.created", "job.completed")] == [session.session_id] * 4
    assert not cloud.sessions[session.session_id]["accepting_jobs"]


def test_a_session_that_cannot_be_opened_or_was_cancelled(cloud, backend, watching, events):
    def refused():
        cloud.faults.append(Fault("POST /sessions", status=400))
        with pytest.raises(Exception) as caught:  # noqa: PT011 - compared
            Session(backend=backend)
        return type(caught.value), str(caught.value)

    bare = refused()
    watching()
    assert refused() == bare
    assert told(events) == []
    session = Session(backend=backend)
    session.cancel()
    session.close()
    assert [kind for kind, _, _ in told(events)] == ["opened", "closed"]


def test_a_job_in_a_session_of_another_process_tells_no_opening(installed, service, backend, bell, events):
    opened = service._active_api_client.create_session("ibm_hanoi", None, None, "dedicated")
    session = Session.from_id(opened["id"], service)
    SamplerV2(session).run([bell]).result()
    session.close()
    assert [(kind, wall) for kind, wall, _ in told(events)] == [("closed", None)]
