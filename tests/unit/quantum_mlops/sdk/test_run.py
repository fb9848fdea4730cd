import asyncio
import contextvars
import threading

import pytest

from quantum_mlops.sdk.recorder import Recorder
from quantum_mlops.sdk.run import HEARTBEAT_SECONDS
from quantum_mlops.sdk.settings import Settings


def logged(written):
    """runid of each metric, by its name."""
    return {name: event.context.runid for event in written("metric.logged") for name in event.data.values}


def test_a_run_starts_and_ends_once(recorder, written):
    with recorder.run("vqc-1", experiment="e1", variant="b", tags={"lr": 0.1}, mlflow_run="m1") as run:
        pass
    run.end()
    (started,), (ended,) = written("run.started"), written("run.ended")
    assert started.data.name == "vqc-1"
    assert started.data.tags == {"lr": "0.1"}
    assert started.data.sdk_versions["python"]
    assert not started.data.implicit
    for event in (started, ended):
        context = event.context
        assert (context.runid, context.experimentid, context.variant, context.mlflowrunid) == (run.id, "e1", "b", "m1")
    assert ended.data.status == "completed"
    assert ended.data.duration_seconds >= 0
    assert ended.data.failure is None


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (ValueError("bad angle"), "failed", "ValueError"),
        (KeyboardInterrupt(), "cancelled", "KeyboardInterrupt"),
        (asyncio.CancelledError(), "cancelled", "CancelledError"),
        (SystemExit(3), "failed", "SystemExit"),
    ],
)
def test_an_exception_passes_unchanged_and_names_the_end(recorder, written, error, status, code):
    with pytest.raises(type(error)) as caught, recorder.run("x"):
        raise error
    assert caught.value is error
    (ended,) = written("run.ended")
    assert (ended.data.status, ended.data.failure.code, ended.data.failure.message) == (status, code, str(error))


def test_an_exception_that_cannot_be_printed_still_ends_the_run(recorder, written):
    class MuteError(Exception):
        def __str__(self):
            raise RuntimeError

    with pytest.raises(MuteError), recorder.run("x"):
        raise MuteError
    assert written("run.ended")[0].data.failure.code.endswith("MuteError")


def test_a_decorated_function_is_one_run_a_call(recorder, written):
    @recorder.run("train", tags={"a": "b"})
    def train(x, *, y):
        """Train."""
        recorder.log_metrics({f"m{x}": 1})
        return x + y

    assert (train(1, y=2), train(2, y=2)) == (3, 4)
    assert (train.__name__, train.__doc__) == ("train", "Train.")
    runs = logged(written)
    assert runs["m1"] != runs["m2"]
    assert [event.data.tags for event in written("run.started")] == [{"a": "b"}] * 2
    assert len(written("run.ended")) == 2


def test_a_decorated_coroutine_function_is_a_run_until_it_returns(recorder, written):
    @recorder.run("train")
    async def train(name):
        await asyncio.sleep(0)
        recorder.log_metrics({name: 1})
        await asyncio.sleep(0)
        return name

    async def main():
        return await asyncio.gather(train("a"), train("b"))

    assert asyncio.run(main()) == ["a", "b"]
    runs = logged(written)
    assert runs["a"] != runs["b"]
    assert {event.context.runid for event in written("run.ended")} == set(runs.values())


def test_tasks_inherit_the_run_that_was_current_when_they_were_made(recorder, written):
    async def log(name):
        await asyncio.sleep(0.01)
        recorder.log_metrics({name: 1})

    async def main():
        with recorder.run("one") as one:
            task = asyncio.create_task(log("a"))
            with recorder.run("two") as two:
                await asyncio.gather(log("b"), asyncio.to_thread(recorder.log_metrics, {"c": 1}))
            await task
        return one.id, two.id

    one, two = asyncio.run(main())
    assert logged(written) == {"a": one, "b": two, "c": two}


def test_runs_nest_and_the_outer_one_comes_back(recorder, written):
    with recorder.run("outer") as outer:
        with recorder.run("inner") as inner:
            recorder.log_metrics({"a": 1})
        recorder.log_metrics({"b": 1})
        inner.log_metrics({"c": 1})
        outer.log_metrics({"d": 1})
    assert logged(written) == {"a": inner.id, "b": outer.id, "c": outer.id, "d": outer.id}


def test_a_new_thread_without_context_falls_back_to_the_run_of_the_process(recorder, written):
    with recorder.run("x") as run:
        thread = threading.Thread(target=recorder.log_metrics, args=({"a": 1},))
        thread.start()
        thread.join()
    assert logged(written) == {"a": run.id}


def test_threads_with_runs_of_their_own_do_not_mix(recorder, written):
    barrier = threading.Barrier(2)
    ids = {}

    def work(name):
        with recorder.run(name) as run:
            barrier.wait(10)
            recorder.log_metrics({name: 1})
            barrier.wait(10)
            ids[name] = run.id

    threads = [threading.Thread(target=work, args=(name,)) for name in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert logged(written) == ids


def test_a_handle_stays_current_across_contexts_until_it_ends(recorder, written):
    run = contextvars.Context().run(recorder.run("cell-1").start)
    assert recorder.current_run() is run
    contextvars.Context().run(recorder.log_metrics, {"a": 1})
    contextvars.Context().run(run.end)
    assert recorder.current_run() is None
    assert logged(written) == {"a": run.id}


def test_a_run_that_ended_elsewhere_is_not_current_any_more(recorder):
    with recorder.run("outer") as outer:
        inner = recorder.run("inner").start()
        thread = threading.Thread(target=inner.end)
        thread.start()
        thread.join()
        assert recorder.current_run() is outer


def test_runs_that_ended_elsewhere_are_not_kept(recorder):
    for _ in range(3):
        run = recorder.run("x").start()
        contextvars.Context().run(run.end)
    assert recorder.run("y").start().parent is None


def test_starting_twice_is_starting_once_and_an_ended_run_begins_anew(recorder, written):
    run = recorder.run("x").start()
    first = run.id
    assert run.start().id == first
    run.end()
    run.start()
    assert run.id != first
    run.end("cancelled")
    assert len(written("run.started")) == 2
    assert [event.data.status for event in written("run.ended")] == ["completed", "cancelled"]


def test_ending_a_run_that_never_began_is_said_once_with_its_mend(recorder, written, capsys):
    run = recorder.run("cell")
    recorder.log_metrics({"a": 1})
    run.end()
    run.end()
    recorder.run("other").end()
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("quantum-mlops: run 'cell' ends but never began")
    assert "quantum_mlops.run('cell').start()" in line
    assert [event.data.implicit for event in written("run.started")] == [True]


def test_ending_twice_or_with_a_recorder_that_is_off_says_nothing(recorder, spool, capsys):
    run = recorder.run("x").start()
    run.end()
    run.end()
    off = Recorder(Settings(spool=str(spool), enabled=False))
    off.run("y").end()
    recorder.close()
    with recorder.run("z"):
        pass
    assert capsys.readouterr().err == ""


def test_events_outside_a_run_share_one_implicit_run(recorder, written):
    recorder.log_metrics({"a": 1})
    with recorder.run("x"):
        pass
    threads = [threading.Thread(target=recorder.log_metrics, args=({f"b{n}": 1},)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(logged(written).values())) == 1
    started = [event for event in written("run.started") if event.data.implicit]
    assert [event.context.runid for event in started] == list(set(logged(written).values()))
    assert len(written("run.ended")) == 2


def test_the_step_of_the_run_is_carried_unless_the_call_has_its_own(recorder, written):
    with recorder.run("x") as run:
        run.step = 4
        recorder.log_metrics({"a": 1})
        recorder.log_metrics({"b": 1}, step=7)
        recorder.emit("com.example.note", {})
    steps = {next(iter(event.data.values)): event.context.step for event in written("metric.logged")}
    assert steps == {"a": 4, "b": 7}
    assert written("com.example.note")[0].context.step == 4


def test_metrics_keep_non_finite_numbers_by_name_and_leave_out_what_is_none(recorder, written):
    values = {"loss": float("nan"), "accuracy": 1, "model": "vqc"}
    with recorder.run("x"):
        assert recorder.log_metrics(values, phase="train")
        values["accuracy"] = 2
        assert not recorder.log_metrics({"model": "vqc"})
        assert not recorder.log_metrics(None)
        assert recorder.log_metrics({"a": 1}, phase="sleep")
    (event,) = written("metric.logged")
    assert (event.data.values, event.data.nonfinite, event.data.phase) == ({"accuracy": 1.0}, {"loss": "nan"}, "train")
    assert recorder.stats().reasons == {"invalid": 4}


def test_a_heartbeat_is_due_every_30_seconds_while_the_run_lasts(recorder):
    run = recorder.run("x").start()
    now = run._beat
    assert run.heartbeat(now + HEARTBEAT_SECONDS - 0.1) is None
    beat = run.heartbeat(now + HEARTBEAT_SECONDS)
    assert beat.type == "run.heartbeat"
    assert beat.data.uptime_seconds == pytest.approx(30, abs=1)
    assert run.heartbeat(now + HEARTBEAT_SECONDS + 1) is None
    assert run.heartbeat(now + 2 * HEARTBEAT_SECONDS + 0.1) is not None
    run.end()
    assert run.heartbeat(now + 9 * HEARTBEAT_SECONDS) is None


def test_the_writer_sends_heartbeats_by_itself(recorder, written):
    run = recorder.run("x").start()
    run._beat -= HEARTBEAT_SECONDS
    assert recorder.flush(10)
    run.end()
    (beat,) = written("run.heartbeat")
    assert beat.context.runid == run.id


def test_hostile_names_and_tags_become_text(recorder, written):
    with recorder.run(7, experiment=3, tags={1: None, "x": "y" * 9999}):
        pass
    (started,) = written("run.started")
    assert started.data.name == "7"
    assert started.data.tags == {"1": "None", "x": "y" * 512}
