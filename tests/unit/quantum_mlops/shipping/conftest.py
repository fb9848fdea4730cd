"""Spools written by a real writer, and shipments that bring them to the service on the loopback."""

import msgspec
import pytest

from quantum_mlops.events import Context, MetricLogged
from quantum_mlops.shipping.address import Credential, parse_address
from quantum_mlops.shipping.client import Client
from quantum_mlops.shipping.heads import ProcessSource
from quantum_mlops.shipping.shipment import Shipment
from quantum_mlops.spool.segment import SpoolClass, SpoolRecord, this_process
from quantum_mlops.spool.writer import SpoolWriter

NONCE = "0123456789ab"
PACK = msgspec.msgpack.encode


class Trainer:
    """Writes metrics named "n" with the values 0, 1, 2, … of one process."""

    def __init__(self, folder, nonce=NONCE):
        self.folder = folder
        self.nonce = nonce
        self.spool = SpoolWriter(folder, this_process(nonce, "0"))
        self.written = 0

    def write(self, number, spool_class=SpoolClass.BULK, padding=""):
        records = []
        for value in range(self.written, self.written + number):
            data = msgspec.Raw(PACK(MetricLogged(values={"n": float(value)})))
            context = Context(subject=padding or None)
            records.append(
                PACK(SpoolRecord(0, value, "quantum_mlops.metric.logged.v1", 10**18, "p", "p", context, data))
            )
        self.spool.write(spool_class, records, 10**18)
        self.written += number

    def rotate(self):
        """Go on in a new segment."""
        self.spool.close()

    def close(self):
        self.spool.close()


class Shipping:
    """One shipment of one process's spool, and what it said."""

    def __init__(self, folder, service, environ=None, nonce=NONCE):
        self.said = []
        self.source = ProcessSource(folder, nonce)
        self.client = Client(parse_address(service.url), Credential(environ or {}))
        self.shipment = Shipment(folder, self.client, lambda: 10**18, lambda topic, text: self.said.append(text))

    def run(self):
        steps = 0
        while self.shipment.step(self.source.own()):
            steps += 1
        return steps

    def crash(self):
        """Forget everything, as the death of the process does: the kernel closes its files."""
        self.client.close()
        self.source.abandon()

    close = crash


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "spool"


@pytest.fixture
def trainer(folder):
    trainer = Trainer(folder)
    yield trainer
    trainer.spool.abandon()


@pytest.fixture
def start(folder, service):
    """Start a shipment; all are closed at the end."""
    started = []

    def start(**options):
        started.append(Shipping(folder, service, **options))
        return started[-1]

    yield start
    for one in started:
        one.close()


@pytest.fixture
def make_trainer(folder):
    made = []

    def make(nonce):
        made.append(Trainer(folder, nonce))
        return made[-1]

    yield make
    for one in made:
        one.spool.abandon()
