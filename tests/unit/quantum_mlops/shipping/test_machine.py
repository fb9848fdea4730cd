"""Any order of writing, shipping, faults of the service, crashes and rotations: nothing is lost, nothing removed early."""

import tempfile
from pathlib import Path

import msgspec
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from quantum_mlops.codec import decode
from quantum_mlops.errors import PermanentError, RetryableError
from quantum_mlops.events import Context, MetricLogged
from quantum_mlops.shipping.answer import BatchRefusedError, Rejected
from quantum_mlops.shipping.heads import ProcessSource
from quantum_mlops.shipping.shipment import Shipment
from quantum_mlops.spool.reader import read_folder
from quantum_mlops.spool.segment import SpoolClass, SpoolRecord, this_process
from quantum_mlops.spool.writer import SpoolWriter

NONCE = "0123456789ab"
pack = msgspec.msgpack.encode
FAULTS = ("later", "lost answer", "permanent", "too large", "bad batch")


class Server:
    """Keeps what it took; the next posts go wrong as `faults` says. Never takes values that 7 divides."""

    def __init__(self):
        self.faults = []
        self.copies = {}
        self.rejected = set()

    def post(self, events):
        fault = self.faults.pop(0) if self.faults else None
        if fault == "later":
            raise RetryableError("busy")
        if fault == "permanent":
            raise PermanentError("no token")
        if fault in ("too large", "bad batch") and len(events) > 1:
            raise BatchRefusedError(fault, too_large=fault == "too large")
        rejected = []
        for index, data in enumerate(events):
            event = decode(data)
            if event.data.values["n"] % 7 == 0:
                self.rejected.add(event.key)
                rejected.append(Rejected(index, event.id, "seven"))
            else:
                self.copies[event.key] = self.copies.get(event.key, 0) + 1
        if fault == "lost answer":
            raise RetryableError("cut")
        return rejected


class Shipping(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.place = tempfile.TemporaryDirectory()
        self.folder = Path(self.place.name) / "spool"
        self.server = Server()
        self.written = {}
        self.resends = 0

    @initialize()
    def begin(self):
        self.writer = SpoolWriter(self.folder, this_process(NONCE, "0"))
        self.restart()

    def restart(self):
        self.source = ProcessSource(self.folder, NONCE)
        self.shipment = Shipment(self.folder, self.server, lambda: 0, lambda topic, text: None)

    @rule(number=st.integers(1, 40), spool_class=st.sampled_from(SpoolClass))
    def write(self, number, spool_class):
        records = []
        stream = list(SpoolClass).index(spool_class)
        for value in range(len(self.written), len(self.written) + number):
            data = msgspec.Raw(pack(MetricLogged(values={"n": float(value)})))
            record = SpoolRecord(stream, value, "quantum_mlops.metric.logged.v1", 10**18, "p", "p", Context(), data)
            records.append(pack(record))
            self.written[f"{value:016x}"] = value
        self.writer.write(spool_class, records, 10**18)

    @rule()
    def rotate(self):
        self.writer.close()

    @rule(faults=st.lists(st.sampled_from(FAULTS), max_size=3))
    def step(self, faults):
        self.server.faults = faults
        try:
            self.shipment.step(self.source.own())
        except (RetryableError, PermanentError):
            self.resends += 1

    @precondition(lambda self: self.written)
    @rule()
    def crash(self):
        self.source.abandon()
        self.restart()

    @rule()
    def lose_the_position(self):
        self.source.abandon()
        for path in (self.folder / ".shipping").glob("*.position"):
            path.write_bytes(b"{torn")
        self.resends += 1
        self.restart()

    @invariant()
    def nothing_is_lost(self):
        kept = {event.id for event in read_folder(self.folder)}
        arrived = {key[1] for key in (*self.server.copies, *self.server.rejected)}
        assert set(self.written) == kept | arrived

    @invariant()
    def copies_come_from_faults_only(self):
        assert max(self.server.copies.values(), default=1) <= 1 + self.resends

    def teardown(self):
        self.server.faults = []
        self.writer.close()
        self.source.ended = True
        while self.shipment.step(self.source.own()):
            pass
        assert list(self.folder.glob("*.qseg")) == []
        taken = {key[1] for key in self.server.copies}
        assert taken == {number for number, value in self.written.items() if value % 7}
        assert {key[1] for key in self.server.rejected} == {
            number for number, value in self.written.items() if not value % 7
        }
        self.source.close()
        self.place.cleanup()


TestShipping = Shipping.TestCase
TestShipping.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
