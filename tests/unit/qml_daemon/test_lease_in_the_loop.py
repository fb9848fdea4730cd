"""What the main loop does with a lease: tells receivers only while it is held, and says why it does not."""

import threading

import msgspec
import pytest

from qml_daemon.configuration import read_config
from qml_daemon.runtime import Daemon
from quantum_mlops.errors import UserError
from quantum_mlops.events import Event, FindingChanged, type_name
from quantum_mlops.transports.base import Commit
from tests.waiting import wait_for


class FakeLease:
    """Held or not, as the test says."""

    def __init__(self):
        self.held, self.fault, self.lost = True, None, False

    def is_held(self):
        return self.held

    def check(self):
        if self.lost:
            raise UserError("another daemon took over")

    def close(self):
        """Do nothing."""


@pytest.fixture
def lease():
    return FakeLease()


@pytest.fixture
def daemon(tmp_path, lease):
    path = tmp_path / "c.toml"
    path.write_text(
        '[http]\nlisten = "off"\n[state]\ndir = "state"\n[receivers.team]\nlog = {}\n'
        '[route]\nreceiver = "team"\ngroup_wait = "0s"\n'
    )
    made = Daemon(read_config(path, {}))
    msgspec.structs.force_setattr(made._parts.ground, "lease", lease)
    made.start()
    yield made
    made.close()


def find(daemon):
    data = FindingChanged(
        finding_id="f", transition=0, rule="CircuitDrift", series="iris/f", severity="critical", labels={}
    )
    event = Event(
        id="f-0",
        source="qml://derived/drift",
        type=type_name("finding.opened"),
        time=1,
        partitionkey="iris",
        project="iris",
        data=data,
    )
    mark = daemon._parts.log.checkpoint(0).watermark
    daemon._parts.log.commit(0, Commit(findings=[event], watermark=mark))


def test_without_the_lease_nothing_is_sent_and_with_it_all_that_waited(daemon, lease, monkeypatch):
    monkeypatch.setattr("qml_daemon.runtime.RETRY_SECONDS", 0.01)
    lease.held, lease.fault = False, "Kafka at one: keeping the lease: no answer within 5 s"
    find(daemon)
    thread = threading.Thread(target=daemon.run)
    thread.start()
    outbox = daemon._parts.dispatcher.stats
    wait_for(lambda: outbox().outbox.waiting == 1, "a notification that waits")
    wait_for(lambda: "receivers are told nothing: Kafka at one" in (daemon._parts.health.unready() or ""), "the reason")
    assert outbox().outbox.sent == 0
    lease.held = True
    wait_for(lambda: outbox().outbox.sent == 1, "what waited is sent")
    wait_for(lambda: daemon._parts.health.unready() is None, "ready again")
    daemon.stop.set()
    thread.join(10)


def test_where_another_took_over_the_loop_ends_and_sends_nothing_more(daemon, lease):
    lease.held, lease.lost = False, True
    find(daemon)
    with pytest.raises(UserError, match="another daemon took over"):
        daemon.run()
    assert daemon._parts.dispatcher.stats().outbox.sent == 0
