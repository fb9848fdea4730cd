"""What of a look becomes events, with what context, under which ids."""

import msgspec

from qml_producers.following.jobs import OVER_KEPT, Jobs
from qml_producers.following.tellings import SOURCE, tell
from qml_producers.observing.door import Sight
from quantum_mlops.events import Circuit, Failure
from quantum_mlops.events.job_status import STATUSES

T = ("iris", "j1")


def kinds(told):
    return [one.kind for one in told]


def test_a_job_goes_from_its_queue_to_its_bill_and_each_is_told_once(desk, wrapper, completed, billed, at):
    desk = desk()
    desk.hear(wrapper().tell("created", 0))
    queued = Sight(status="queued", times=at(), queue_position=7)
    assert kinds(desk.see(queued)) == ["job.queued"]
    assert kinds(desk.see(msgspec.structs.replace(queued, queue_position=3))) == []
    assert kinds(desk.see(Sight(status="running", times=at(started=60)))) == ["job.running"]
    assert kinds(desk.see(completed())) == ["job.completed"]
    assert kinds(desk.see(completed())) == []
    assert kinds(desk.see(completed(cost=billed("1.20"), is_billed=True))) == ["job.billed"]
    assert len(desk.jobs) == 0


def test_every_event_repeats_what_the_job_is_and_the_bill_names_the_circuits(desk, wrapper, completed, billed):
    desk = desk()
    desk.hear(wrapper().tell("created", 0, role="canary"))
    end, bill = desk.see(completed(cost=billed("1.20"), is_billed=True))
    for one in (end, bill):
        assert (one.data.job_id, one.data.provider_job_id, one.data.provider, one.data.backend) == (
            "j1",
            "j1",
            "ibm",
            "ibm_fez",
        )
        assert (one.data.role, one.data.session_id, one.data.primitive) == ("canary", "s1", "SamplerV2")
        assert (one.data.shots_requested, one.data.executions) == (1024, 1)
        assert one.data.cost.final.amount == "1.20"
    assert bill.data.circuits == [Circuit(identity="c1:ab", width=4)]
    assert (end.data.times.ended is not None, bill.data.times, bill.data.failure) == (True, None, None)


def test_more_circuits_than_fit_are_not_named_in_the_bill(desk, wrapper, completed):
    desk = desk()
    many = [Circuit(identity=f"c1:{number:064x}") for number in range(400)]
    desk.hear(wrapper().tell("created", 0, circuits=many))
    *_, bill = desk.see(completed(is_billed=True))
    assert bill.data.circuits == []


def test_what_the_trainer_told_itself_is_not_told_again(desk, wrapper, completed, billed, at):
    desk = desk()
    trainer = wrapper()
    desk.hear(trainer.tell("created", 0), trainer.tell("running", 1))
    assert desk.see(Sight(status="queued")) == []
    assert desk.see(Sight(status="running")) == []
    desk.hear(trainer.tell("completed", 2, times=at(ended=70)))
    assert kinds(desk.see(completed(cost=billed("1"), is_billed=True))) == ["job.billed"]


def test_an_end_without_the_providers_times_is_told_with_them(desk, wrapper, completed):
    desk = desk()
    trainer = wrapper()
    desk.hear(trainer.tell("created", 0), trainer.tell("completed", 2))
    assert kinds(desk.see(completed())) == ["job.completed"]


def test_another_end_than_the_trainers_is_told(desk, wrapper, at):
    desk = desk()
    trainer = wrapper()
    desk.hear(trainer.tell("created", 0), trainer.tell("completed", 2, times=at(ended=70)))
    told = desk.see(Sight(status="failed", times=at(ended=70), failure=Failure(code="1517")))
    assert [(one.kind, one.data.failure.code) for one in told] == [("job.failed", "1517")]


def test_a_job_with_its_final_cost_in_the_log_is_not_followed(desk, wrapper, billed):
    desk = desk()
    trainer = wrapper()
    desk.hear(trainer.tell("created", 0), trainer.tell("completed", 2, cost=billed("1")))
    assert len(desk.jobs) == 0


def test_a_bill_without_money_and_seconds_is_none(desk, wrapper, at):
    desk = desk()
    desk.hear(wrapper().tell("created", 0))
    assert kinds(desk.see(Sight(status="cancelled", times=at(ended=3), is_billed=True))) == ["job.cancelled"]
    assert len(desk.jobs) == 0


def test_words_that_nobody_knows_are_told_once_and_the_job_is_followed_on(desk, wrapper, completed):
    desk = desk()
    desk.hear(wrapper().tell("created", 0))
    odd = Sight(status="unknown", status_text="PAUSED")
    assert [(one.kind, one.data.status_text) for one in desk.see(odd)] == [("job.unknown", "PAUSED")]
    assert desk.see(odd) == []
    assert [one.data.status_text for one in desk.see(Sight(status="unknown", status_text="HELD"))] == ["HELD"]
    assert kinds(desk.see(completed())) == ["job.completed"]


def test_a_door_that_says_a_status_of_its_own_is_not_believed(desk, wrapper):
    desk = desk()
    desk.hear(wrapper().tell("created", 0))
    (one,) = desk.see(Sight(status="INTERNAL"))
    assert (one.kind, one.data.status_text) == ("job.unknown", "INTERNAL")


def test_created_is_never_told(desk, wrapper):
    desk = desk()
    desk.hear(wrapper().tell("queued", 0))
    assert desk.see(Sight(status="created")) == []


def test_ids_follow_from_what_is_told_and_not_from_the_place_in_the_queue(desk, wrapper, at):
    one, other = desk(), desk()
    for place in (one, other):
        place.hear(wrapper().tell("created", 0))
    first = one.see(Sight(status="queued", times=at(), queue_position=7, pending_jobs=9))
    again = other.see(Sight(status="queued", times=at(), queue_position=2))
    assert [(told.source, told.id) for told in first] == [(told.source, told.id) for told in again]
    assert first[0].source == f"{SOURCE}ibm"
    assert first[0].id.startswith("j1/queued/")
    changed = tell(desk_job(one), Sight(status="running", times=at(started=2)))
    assert changed[0].id != tell(desk_job(one), Sight(status="running", times=at(started=3)))[0].id


def desk_job(desk):
    return desk.jobs.get(T)


def test_an_id_is_never_too_long(desk, wrapper):
    desk = desk()
    desk.hear(wrapper("x" * 512).tell("created", 0))
    (one,) = desk.see(Sight(status="queued"))
    assert len(one.id) <= 512


def test_context_comes_from_whichever_event_has_it(desk, wrapper):
    desk = desk()
    trainer = wrapper(run=None)
    bare = msgspec.structs.replace(
        trainer.tell("queued", 1),
        context=msgspec.structs.replace(trainer.tell("queued", 1).context, runid=None, step=None),
    )
    desk.hear(bare, wrapper().tell("created", 0))
    context = desk_job(desk).context
    assert (context.runid, context.step, context.experimentid, context.mlflowrunid) == ("r1", 3, "e1", "m1")


def test_only_jobs_of_known_providers_with_an_id_there_are_followed(desk, wrapper):
    desk = desk()
    desk.hear(wrapper(provider="qiskit_aer").tell("created", 0), wrapper().tell("created", 0, provider_job_id=None))
    assert len(desk.jobs) == 0


def test_a_job_that_its_provider_has_no_service_for_is_not_followed(wrapper):
    jobs = Jobs(["braket"], serves=lambda provider, job: (provider, job.job_id[:4]) == ("braket", "arn:"))
    jobs.take(wrapper("0b9d2f", provider="braket").tell("completed", 0), 0)
    jobs.take(wrapper("arn:aws", provider="braket").tell("created", 0), 0)
    assert list(jobs) == [("iris", "arn:aws")]


def test_our_own_events_open_no_job_and_what_is_over_stays_so_for_a_day(desk, wrapper, completed, billed):
    desk = desk()
    trainer = wrapper()
    created = trainer.tell("created", 0)
    desk.hear(created)
    told = desk.see(completed(cost=billed("1"), is_billed=True))
    ours = [msgspec.structs.replace(created, id=one.id, source=one.source, data=one.data) for one in told]
    desk.hear(*ours, trainer.tell("completed", 80), created)
    assert len(desk.jobs) == 0
    fresh = Jobs(["ibm"])
    for one in ours:
        fresh.take(one, desk.now)
    assert len(fresh) == 0
    desk.jobs.expire(desk.now + OVER_KEPT)
    assert desk.jobs.over == {}


def test_a_job_survives_being_stored(desk, wrapper, completed):
    desk = desk()
    desk.hear(wrapper().tell("created", 0))
    desk.see(completed())
    job = desk_job(desk)
    again = msgspec.msgpack.decode(msgspec.msgpack.encode(job), type=type(job))
    assert again == job
    assert tell(again, completed()) == []


def test_every_status_of_the_contract_is_understood(desk, wrapper):
    for status in STATUSES:
        place = desk()
        place.hear(wrapper().tell("created", 0))
        assert kinds(place.see(Sight(status=status))) == ([] if status == "created" else [f"job.{status}"])
