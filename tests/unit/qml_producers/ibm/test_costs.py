"""Seconds of IBM's service, by the price that the user wrote down."""

import os
from datetime import UTC, datetime

import pytest
from qiskit_ibm_runtime import SamplerV2

from qml_producers.ibm.costs import cost_of_job
from qml_producers.ibm.door import IbmDoor
from qml_producers.observing.door import Asked
from qml_producers.prices import Prices, parse_book
from quantum_mlops.events import Cost, Money, ProviderTimes
from tests.providers.ibm import JobScript

pytestmark = pytest.mark.filterwarnings("ignore:The (Sampler|Estimator)V2 class is deprecated:DeprecationWarning")

BOOK = 'name = "contract"\nversion = "7"\n[[prices]]\nprovider = "ibm"\ndevices = ["ibm_*"]\ncurrency = "EUR"\neffective_from = 2026-01-01\nsecond = 1.2\n'


@pytest.fixture
def contract(tmp_path, monkeypatch):
    path = tmp_path / "prices.toml"
    path.write_text(BOOK)
    monkeypatch.setenv("QML_PRICES", str(path))


def submit(cloud, backend, bell, script):
    cloud.script(script)
    return SamplerV2(backend).run([bell])


@pytest.mark.usefixtures("contract")
def test_a_job_is_reserved_by_the_seconds_foretold_and_final_by_those_charged(cloud, backend, bell):
    script = JobScript(("Queued", "Running"), bill_after=2, qpu_seconds=2.5, queue_seconds=30, run_seconds=4)
    asked = Asked(job_id=submit(cloud, backend, bell, script).job_id(), backend="ibm_hanoi")
    door = IbmDoor.open(os.environ, 10)
    queued, running, done, billed = (door.look(asked) for _ in range(4))
    door.close()
    reserved = Money(amount="4.8", currency="EUR", price_version="contract 7")
    assert queued.cost == running.cost == Cost(reserved=reserved)
    assert done.cost is None  # the charge is still pending
    assert billed.cost == Cost(final=Money(amount="3", currency="EUR", price_version="contract 7"))


@pytest.mark.parametrize(
    ("status", "known", "amount"),
    [
        ("completed", {}, "3"),
        ("failed", {}, "3"),
        ("completed", {"seconds": None}, None),
        ("completed", {"session_id": "s"}, None),
        ("completed", {"backend": None}, None),
        ("completed", {"times": ProviderTimes(started=datetime(2025, 12, 31, tzinfo=UTC))}, None),
        ("unknown", {}, None),
    ],
)
def test_what_is_charged_and_what_is_not_known(status, known, amount):
    prices = Prices([parse_book(BOOK.encode(), "x")])
    facts = {"backend": "ibm_fez", "session_id": None, "seconds": 2.5, "times": None, **known}
    cost = cost_of_job(prices, status, **facts)
    assert (None if cost is None else cost.final.amount) == amount
    assert cost_of_job(Prices([]), status, **facts) is None


@pytest.mark.usefixtures("contract", "installed")
def test_the_bill_that_the_user_asked_for_is_told_with_its_cost(cloud, backend, bell, events):
    job = submit(cloud, backend, bell, JobScript(qpu_seconds=2.5))
    job.result()
    job.metrics()
    (billed,) = events("job.billed")
    assert billed.data.cost == Cost(final=Money(amount="3", currency="EUR", price_version="contract 7"))
