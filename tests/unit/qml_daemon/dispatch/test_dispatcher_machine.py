"""Whatever happens to findings, receiver and process: in the end the receiver knows what is so, and no more."""

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from quantum_mlops.errors import RetryableError

BACKENDS = ["hanoi", "sherbrooke", "aria"]


class Crash(BaseException):
    """The process dies at a step of a transaction."""


def make_machine(bench_type: type, route: object) -> type[RuleBasedStateMachine]:  # noqa: C901 - one method a rule
    class Machine(RuleBasedStateMachine):
        def __init__(self) -> None:
            super().__init__()
            self.folder = TemporaryDirectory()
            self.bench = bench_type(route, Path(self.folder.name) / "outbox.sqlite")
            self.number = 0
            self.open: dict[str, str] = {}
            self.crashed = False

        def teardown(self) -> None:
            self.settle()
            self.bench.dispatcher.close()
            self.folder.cleanup()

        @rule(backend=st.sampled_from(BACKENDS))
        def open_finding(self, backend: str) -> None:
            self.number += 1
            name = f"f{self.number}"
            self.open[name] = backend
            self.bench.find("opened", name, labels={"backend": backend})

        @precondition(lambda self: self.open)
        @rule(data=st.data(), change=st.sampled_from(["closed", "updated"]))
        def change_finding(self, data: st.DataObject, change: str) -> None:
            name = data.draw(st.sampled_from(sorted(self.open)))
            self.bench.find(change, name, labels={"backend": self.open[name]})
            if change == "closed":
                del self.open[name]

        @rule(seconds=st.sampled_from([0, 0.5, 1, 10, 61]))
        def step(self, seconds: float) -> None:
            self.bench.step(seconds)

        @rule()
        def refuse_next(self) -> None:
            self.bench.notifier.errors.append(RetryableError("500"))

        @rule()
        def restart(self) -> None:
            self.bench.dispatcher.drain(5.0)
            self.bench.restart()

        @rule(at=st.sampled_from(["begin", "decided", "settled", "committed"]))
        def crash(self, at: str) -> None:
            def fault(step: str) -> None:
                if step == at:
                    raise Crash

            self.bench.fault = fault
            try:
                self.bench.step(1)
            except Crash:
                self.crashed = True
            self.bench.fault = lambda _: None
            self.bench.outbox.wait(iter(lambda: 5.0, None))
            self.bench.restart()

        @invariant()
        def no_message_comes_twice_without_a_crash(self) -> None:
            ids = [one.id for message in self.bench.notifier.messages for one in message]
            assert self.crashed or len(set(ids)) == len(ids)

        def settle(self) -> None:
            """Give everything its time; then what was told last of each backend is what is so."""
            self.bench.notifier.errors.clear()
            for _ in range(12):
                self.bench.step(61)
            told: dict[str, str] = {}
            for message in self.bench.notifier.messages:
                for one in message:
                    told |= {alert.labels["backend"]: alert.status for alert in one.alerts}
            firing = set(self.open.values())
            assert {backend for backend, status in told.items() if status == "firing"} == firing
            stats = self.bench.dispatcher.stats()
            assert (stats.alerts, stats.outbox.waiting) == (len(firing), 0)

    return Machine


@pytest.mark.parametrize("group_by", [[], ["backend"]], ids=["one group", "a group a backend"])
def test_in_the_end_the_receiver_knows_what_is_so(make_bench, group_by: list[str]) -> None:
    example = make_bench(group_by=group_by, group_wait="1s", group_interval="60s")
    machine = make_machine(type(example), example.route)
    run_state_machine_as_test(machine, settings=settings(max_examples=60, stateful_step_count=25, deadline=None))
