import asyncio
import inspect

import pytest


def logged(written):
    """runid of each metric, by its name."""
    return {name: event.context.runid for event in written("metric.logged") for name in event.data.values}


def explicit(written):
    return {event.data.name: event.context.runid for event in written("run.started") if not event.data.implicit}


def ends(written):
    return {event.context.runid: event.data.status for event in written("run.ended")}


@pytest.fixture
def batches(recorder):
    @recorder.run("batches")
    def batches(n):
        """Yield numbers."""
        for number in range(n):
            recorder.log_metrics({f"body{number}": 1})
            yield number
        recorder.log_metrics({"last": 1})
        return "done"

    return batches


def test_the_run_of_a_generator_spans_its_body_and_not_the_loop_around_it(recorder, written, batches):
    assert inspect.isgeneratorfunction(batches)
    assert batches.__doc__ == "Yield numbers."
    with recorder.run("outer"):
        for number in batches(2):
            recorder.log_metrics({f"loop{number}": 1})
    runs, names = logged(written), explicit(written)
    assert {runs[name] for name in ("body0", "body1", "last")} == {names["batches"]}
    assert {runs[name] for name in ("loop0", "loop1")} == {names["outer"]}
    assert ends(written) == {names["batches"]: "completed", names["outer"]: "completed"}


def test_without_a_run_of_its_own_the_loop_is_the_implicit_run(recorder, written, batches):
    for number in batches(1):
        assert recorder.current_run() is None
        recorder.log_metrics({f"loop{number}": 1})
    runs, names = logged(written), explicit(written)
    assert runs["body0"] == names["batches"] != runs["loop0"]


def test_two_generators_in_turn_do_not_mix(recorder, written, batches):
    assert list(zip(batches(2), batches(2), strict=True)) == [(0, 0), (1, 1)]
    events = written("metric.logged")
    bodies = [event.context.runid for event in events if "last" not in event.data.values]
    assert bodies[0] == bodies[2] != bodies[1] == bodies[3]


def test_a_run_begun_in_the_body_stays_with_the_body(recorder, written):
    @recorder.run("body")
    def body():
        with recorder.run("inner"):
            recorder.log_metrics({"a": 1})
            yield
            recorder.log_metrics({"b": 1})
        recorder.log_metrics({"c": 1})

    with recorder.run("outer"):
        for _ in body():
            recorder.log_metrics({"loop": 1})
    names = explicit(written)
    assert logged(written) == {"a": names["inner"], "b": names["inner"], "c": names["body"], "loop": names["outer"]}


def test_send_throw_and_the_value_returned_pass_through(recorder):
    @recorder.run("x")
    def echo():
        given = yield "ready"
        while given is not None:
            try:
                given = yield given
            except KeyError as error:
                given = yield error.args[0]
        return "done"

    generator = echo()
    got = [next(generator), generator.send(1), generator.throw(KeyError("k")), generator.send(2)]
    assert got == ["ready", 1, "k", 2]
    with pytest.raises(StopIteration) as stop:
        generator.send(None)
    assert stop.value.value == "done"


def test_a_generator_that_is_left_early_is_cancelled_and_cleans_up_in_its_run(recorder, written):
    @recorder.run("x")
    def forever():
        try:
            while True:
                yield
        finally:
            recorder.log_metrics({"cleanup": 1})

    generator = forever()
    next(generator)
    generator.close()
    assert recorder.current_run() is None
    (run,) = explicit(written).values()
    assert logged(written) == {"cleanup": run}
    assert ends(written) == {run: "cancelled"}


def test_an_error_in_the_body_fails_its_run_and_passes(recorder, written):
    @recorder.run("x")
    def broken():
        yield 1
        raise ValueError("bad angle")

    with pytest.raises(ValueError, match="bad angle"):
        list(broken())
    (ended,) = written("run.ended")
    assert (ended.data.status, ended.data.failure.code) == ("failed", "ValueError")


def test_a_generator_that_waits_still_beats_and_is_ended_with_the_process(recorder, written, batches):
    generator = batches(2)
    next(generator)
    (run,) = recorder.runs._owned()
    run._beat -= 60
    assert recorder.flush(10)
    recorder.runs.end_all()
    assert list(generator) == [1]
    assert len(written("run.heartbeat")) == 1
    assert ends(written)[run.id] == "completed"


def test_a_generator_never_begun_is_no_run(recorder, written, batches):
    batches(1)
    assert written("run.started") == []


def test_a_generator_of_a_recorder_that_is_closed_yields_the_same(recorder, batches):
    recorder.close()
    assert list(batches(2)) == [0, 1]


def test_async_generators_are_runs_that_do_not_leak_into_their_loops(recorder, written):
    def make(name):
        @recorder.run(name)
        async def stream():
            for number in range(2):
                await asyncio.sleep(0)
                recorder.log_metrics({f"{name}{number}": 1})
                yield number

        assert inspect.isasyncgenfunction(stream)
        return stream

    async def consume(name):
        with recorder.run(f"outer-{name}"):
            async for number in make(name)():
                await asyncio.sleep(0)
                recorder.log_metrics({f"loop-{name}{number}": 1})

    async def main():
        await asyncio.gather(consume("a"), consume("b"))

    asyncio.run(main())
    runs, names = logged(written), explicit(written)
    for name in "ab":
        assert {runs[f"{name}{number}"] for number in range(2)} == {names[name]}
        assert {runs[f"loop-{name}{number}"] for number in range(2)} == {names[f"outer-{name}"]}
    assert set(ends(written).values()) == {"completed"}


def test_async_generators_take_what_is_sent_and_thrown_and_close_in_their_run(recorder, written):
    @recorder.run("x")
    async def echo():
        given = yield "ready"
        try:
            while True:
                try:
                    given = yield given
                except KeyError as error:
                    given = error.args[0]
        finally:
            await asyncio.sleep(0)
            recorder.log_metrics({"cleanup": 1})

    async def main():
        generator = echo()
        got = [await anext(generator), await generator.asend(1), await generator.athrow(KeyError("k"))]
        await generator.aclose()
        return got

    assert asyncio.run(main()) == ["ready", 1, "k"]
    (run,) = explicit(written).values()
    assert logged(written) == {"cleanup": run}
    assert ends(written) == {run: "cancelled"}
