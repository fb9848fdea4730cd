"""The follower beside a daemon on a real Kafka: a job whose trainer is gone comes to its end and its bill, once."""

import httpx
import pytest

from qml_daemon.following.status import read_follower_status
from quantum_mlops.clock import system_clock
from quantum_mlops.events import Context, Event, Job, short_name, type_name
from quantum_mlops.transports.base import Stream
from quantum_mlops.transports.kafka.log import KafkaLog
from tests.kafka.test_daemon import House, make_topics, settings_of
from tests.providers.ionq import IonqCloud
from tests.waiting import wait_for

FOLLOWER = '[follower]\nenabled = true\nproviders = ["ionq"]\ninterval = "1s"\ncalls_per_minute = 600\n'


@pytest.fixture
def cloud(monkeypatch):
    with IonqCloud() as cloud:
        monkeypatch.setenv("IONQ_API_URL", cloud.url)
        monkeypatch.setenv("IONQ_API_KEY", cloud.key)
        cloud.statuses = ("ready", "started", "completed")
        yield cloud


@pytest.fixture
def house(tmp_path, kafka, prefix, cloud):
    make_topics(settings_of(kafka, prefix))
    house = House(tmp_path / "a", kafka, prefix, FOLLOWER)
    yield house
    house.close()


def submit(cloud):
    """Submit as the trainer's SDK does, and return the job's id."""
    body = {
        "backend": "qpu.forte-1", "shots": 100, "type": "ionq.circuit.v1",
        "input": {"qubits": 1, "gateset": "qis", "circuit": [{"gate": "h", "target": 0}]},
    }  # fmt: skip
    answer = httpx.post(f"{cloud.url}/jobs", json=body, headers={"Authorization": f"apiKey {cloud.key}"})
    return answer.raise_for_status().json()["id"]


def jobs_in(log):
    for partition in range(log.partitions):
        for record in log.read(Stream.EVENTS, partition, 0, 10_000):
            if isinstance(record.event, Event) and isinstance(record.event.data, Job):
                yield record.event


def test_a_job_whose_trainer_is_gone_is_completed_and_billed_once(house, cloud, kafka, prefix):
    job = submit(cloud)
    log = KafkaLog(settings_of(kafka, prefix), writer="trainer")
    try:
        log.append([
            Event(
                id="1", source="trainer", type=type_name("job.created"), time=system_clock(), partitionkey="iris",
                project="iris", context=Context(runid="r1", step=7),
                data=Job(job_id=job, provider="ionq", backend="qpu.forte-1", provider_job_id=job),
            )
        ])  # fmt: skip
        house.start()
        wait_for(lambda: any(event.type == type_name("job.billed") for event in jobs_in(log)), "the bill", 60)
        wait_for(lambda: read_follower_status(house.folder).providers["ionq"].open_jobs == 0, "that it is over", 20)
        told = [event for event in jobs_in(log) if event.data.job_id == job]
        kinds = [short_name(event.type) for event in told]
        assert kinds.count("job.completed") == kinds.count("job.billed") == 1, kinds
        assert {(event.partitionkey, event.context.runid, event.context.step) for event in told} == {("iris", "r1", 7)}
        (bill,) = [event.data for event in told if short_name(event.type) == "job.billed"]
        assert (bill.cost.final.amount, bill.cost.final.currency) == ("24.83", "USD")
    finally:
        log.close()
    assert house.stop() == 0
