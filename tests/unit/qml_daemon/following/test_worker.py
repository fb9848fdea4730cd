"""From the log to providers by script and back: a job's whole way, failures, restarts."""

import threading
import time

import pytest

from qml_daemon.following.providers import MOST_ABANDONED
from qml_producers.following.tellings import SOURCE
from quantum_mlops.clock import DAY
from quantum_mlops.errors import ConfigError, LogLockedError, PermanentError, RetryableError

WAY = ["job.queued", "job.running", "job.completed", "job.billed"]


def way(sights):
    return [sights[one] for one in ("queued", "queued", "running", "completed", "billed")]


def test_a_job_whose_trainer_is_gone_comes_to_its_end_and_its_bill(room, scripted, sights):
    door = scripted({"j1": way(sights)})
    follower = room.follow({"ibm": door})
    room.tell(room.event("created"))
    room.drive(follower, lambda: room.kinds() == WAY)
    looks = len(door.asked)
    ours = [event for event in room.events() if event.source == f"{SOURCE}ibm"]
    assert {(one.project, one.partitionkey, one.context.runid, one.context.step) for one in ours} == {
        ("iris", "iris", "r1", 3)
    }
    assert {one.data.backend for one in ours} == {"ibm_fez"}
    assert (ours[-1].data.cost.final.amount, ours[-1].data.circuits[0].identity) == ("1.20", "c1:ab")
    assert [event.key for event in room.shown] == [event.key for event in ours]
    for _ in range(5):
        follower.step(time.monotonic())
        follower.take_answers(0.02)
    assert len(door.asked) == looks == 5
    figures = follower.status("running")
    assert figures.told == dict.fromkeys(WAY, 1)
    assert (figures.providers["ibm"].open_jobs, figures.providers["ibm"].looks, figures.behind) == (0, 5, 0)


def test_what_the_trainer_ended_itself_is_only_asked_for_its_bill(room, scripted, sights):
    door = scripted({"j1": [sights["billed"]]})
    follower = room.follow({"ibm": door})
    room.tell(room.event("created"), room.event("completed", times=sights["billed"].times))
    room.drive(follower, lambda: room.kinds() == ["job.billed"])
    assert len(door.asked) == 1


def test_a_provider_that_blocks_holds_nobody_up(room, scripted, sights):
    gate = threading.Event()
    stuck, other = scripted({"j1": [sights["billed"]]}, gate), scripted({"j2": way(sights)})
    follower = room.follow({"ibm": stuck, "braket": other})
    room.tell(room.event("created"), room.event("created", "j2", "braket"))
    room.drive(follower, lambda: room.kinds("j2") == WAY)
    assert room.kinds() == []
    gate.set()
    room.drive(follower, lambda: room.kinds() == ["job.completed", "job.billed"])


def test_a_call_that_never_returns_is_given_up_and_the_door_opened_anew(room, scripted, sights):
    gate = threading.Event()
    door = scripted({"j1": [sights["billed"]]}, gate)
    follower = room.follow({"ibm": door})
    room.tell(room.event("created"))
    room.drive(follower, lambda: not follower.providers.is_quiet())
    for count in range(1, MOST_ABANDONED + 2):
        at = time.monotonic() + 1000.0 * count
        for _ in range(2):
            follower.step(at)
            at += 400.0  # past the pause after a failure
        assert follower.providers.tallies["ibm"].abandoned == count
    gate.set()
    tally = follower.providers.tallies["ibm"]
    assert "do not return" in tally.closed
    assert "did not return within 120 s" in tally.last_error
    assert not follower.providers.is_free("ibm")
    assert follower.is_done()


def test_a_provider_that_asks_for_time_gets_it(room, scripted, sights):
    door = scripted({"j1": [RetryableError("429 slow down", 0.3), sights["billed"]]})
    follower = room.follow({"ibm": door})
    room.tell(room.event("created"))
    began = time.monotonic()
    room.drive(follower, lambda: len(door.asked) == 1)
    room.drive(follower, lambda: room.kinds() == ["job.completed", "job.billed"])
    assert time.monotonic() - began >= 0.3
    tally = follower.providers.tallies["ibm"]
    assert (tally.errors, tally.last_error, tally.asked_again) == (1, "429 slow down", None)


def test_an_error_of_an_sdk_is_shown_and_the_job_is_asked_for_again(room, scripted, sights, short_pauses):
    door = scripted({"j1": [KeyError("status"), sights["billed"]]})
    follower = room.follow({"ibm": door})
    room.tell(room.event("created"))
    room.drive(follower, lambda: room.kinds() == ["job.completed", "job.billed"])
    assert follower.providers.tallies["ibm"].last_error == "KeyError: 'status'"


def test_without_credentials_others_go_on_and_the_mend_is_shown(room, scripted, sights):
    closed = scripted({}, fault="no token: set QISKIT_IBM_TOKEN")
    follower = room.follow({"ibm": closed, "braket": scripted({"j2": way(sights)})})
    room.tell(room.event("created"), room.event("created", "j2", "braket"))
    room.drive(follower, lambda: room.kinds("j2") == WAY)
    assert follower.status("running").providers["ibm"].closed == "no token: set QISKIT_IBM_TOKEN"
    assert closed.opened == 1


def test_where_all_that_were_named_cannot_be_asked_it_ends_with_the_mends(room, scripted):
    doors = {"ibm": scripted({}, fault="no token"), "ionq": scripted({}, fault="ionq: no SDK")}
    follower = room.follow(doors, named=frozenset(doors))
    with pytest.raises(ConfigError) as caught:
        follower.run()
    assert str(caught.value) == "ibm: no token\nionq: no SDK"


def test_a_refused_job_is_shown_and_asked_for_later(room, scripted):
    door = scripted({"j1": [PermanentError("404 no\n such\x1b[2J job")]})
    follower = room.follow({"ibm": door})
    room.tell(room.event("created"))
    room.drive(follower, lambda: follower.providers.tallies["ibm"].refusals == 1)
    figures = follower.status("running").providers["ibm"]
    assert (figures.open_jobs, figures.errors, figures.last_error) == (1, 0, "j1: 404 no such?[2J job")
    assert room.kinds() == []


def test_a_restart_asks_on_where_it_was_and_reads_nothing_twice(room, scripted, sights):
    first = scripted({"j1": [sights["queued"]], "j0": [sights["billed"]]})
    follower = room.follow({"ibm": first})
    room.tell(room.event("created"), room.event("created", "j0"))
    room.drive(follower, lambda: room.kinds() == ["job.queued"] and len(room.kinds("j0")) == 2)
    follower.close()
    second = scripted({"j1": [sights["queued"], sights["billed"]]})
    again = room.follow({"ibm": second})
    assert again.status("running").providers["ibm"].open_jobs == 1
    room.drive(again, lambda: room.kinds() == ["job.queued", "job.completed", "job.billed"])
    assert {job.job_id for job in second.asked} == {"j1"}
    assert len(second.asked) == 2


def test_a_crash_between_spool_and_store_repeats_the_same_event(room, scripted, sights):
    poll, room.intake.poll = room.intake.poll, lambda limit: 0
    room.tell(room.event("created"))
    for count in (1, 2):
        follower = room.follow({"ibm": scripted({"j1": [sights["queued"]]})})
        follower._save = lambda: None
        room.drive(follower, lambda count=count: len(room.shown) == count)
        follower.close()
    poll(100)
    first, second = [event for event in room.events() if event.source.startswith(SOURCE)]
    assert first.key == second.key
    assert first.data == second.data


def test_after_a_crash_what_came_into_the_log_is_not_even_repeated(room, scripted, sights):
    follower = room.follow({"ibm": scripted({"j1": [sights["queued"]]})})
    follower._save = lambda: None
    room.tell(room.event("created"))
    room.drive(follower, lambda: room.kinds() == ["job.queued"])
    follower.close()
    again = room.follow({"ibm": scripted({"j1": [sights["queued"], sights["running"]]})})
    room.drive(again, lambda: room.kinds() == ["job.queued", "job.running"])


def test_a_spool_that_refuses_loses_nothing(room, scripted, sights):
    follower = room.follow({"ibm": scripted({"j1": [sights["billed"]]})})
    room.tell(room.event("created"))
    send, failures = follower._parts.outlet.send, [OSError(28, "No space left on device")] * 2

    def fail(*arguments):
        if failures:
            raise failures.pop()
        return send(*arguments)

    follower._parts.outlet.send = fail
    room.drive(follower, lambda: len(failures) == 1)
    assert "No space left" in follower.status("running").fault
    room.drive(follower, lambda: room.kinds() == ["job.completed", "job.billed"])
    assert follower.status("running").fault is None


def test_an_answer_that_is_no_event_is_counted_and_the_job_goes_on(room, scripted, sights, caplog):
    from msgspec.structs import replace

    odd = replace(sights["running"], qpu_seconds=float("nan"))
    follower = room.follow({"ibm": scripted({"j1": [odd, sights["billed"]]})})
    room.tell(room.event("created"))
    room.drive(follower, lambda: room.kinds() == ["job.completed", "job.billed"])
    assert follower.status("running").refused_events == 1
    assert "job.running of j1" in caplog.text


def test_another_log_in_its_place_is_read_from_its_start(room, scripted, sights):
    follower = room.follow({"ibm": scripted({"j1": [sights["queued"]]})})
    room.tell(room.event("created"))
    room.drive(follower, lambda: room.kinds() == ["job.queued"])
    follower.close()
    room.log.move_cursors({"log-id": b"two"})
    again = room.follow({"ibm": scripted({"j1": [sights["queued"]]})})
    assert again.status("running").providers["ibm"].open_jobs == 0
    assert again.status("running").behind == 2
    room.drive(again, lambda: again.status("running").providers["ibm"].open_jobs == 1)


def test_once_ends_when_each_open_job_was_asked_for(room, scripted, sights):
    door = scripted({"j1": [sights["queued"]], "j2": [sights["running"]], "j3": [RetryableError("503")]})
    room.tell(room.event("created"), room.event("created", "j2"), room.event("created", "j3", "braket"))
    follower = room.follow({"ibm": door, "braket": door, "ionq": scripted({}, fault="no SDK")}, interval_seconds=60.0)
    follower.run(once=True)
    follower.close()
    room.intake.poll(100)
    assert (room.kinds(), room.kinds("j2"), room.kinds("j3")) == (["job.queued"], ["job.running"], [])
    assert room.reports[-1].state == "stopped"


def test_halt_ends_a_run(room, scripted):
    follower = room.follow({"ibm": scripted({})})
    thread = threading.Thread(target=follower.run)
    thread.start()
    follower.halt()
    thread.join(10)
    assert not thread.is_alive()


def test_two_followers_on_one_folder_are_refused_with_the_mend(room, scripted):
    room.follow({"ibm": scripted({})})
    with pytest.raises(LogLockedError, match="another follower works here"):
        room.follow({"ibm": scripted({})})


def test_jobs_of_old_times_are_read_and_not_asked_for(tmp_path, room, scripted):
    place = type(room)(tmp_path / "old", clock=lambda: time.time_ns() - 20 * DAY)
    try:
        place.tell(*(place.event("completed", f"old{number}") for number in range(1200)))
        door = scripted({})
        follower = place.follow({"ibm": door}, max_jobs=5000)
        follower.step(time.monotonic())
        assert (follower.status("running").behind, door.asked, follower.is_done()) == (0, [], True)
    finally:
        place.close()
