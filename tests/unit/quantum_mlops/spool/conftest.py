"""Packed records, and a segment with some of them."""

import msgspec
import pytest

from quantum_mlops.events import Context, MetricLogged, type_name
from quantum_mlops.spool.segment import SpoolClass, SpoolRecord, this_process
from quantum_mlops.spool.writer import SpoolWriter

NONCE = "0123456789ab"


@pytest.fixture(scope="session")
def pack():
    def make(sequence, data=None, kind=None, **fields):
        data = MetricLogged(values={"loss": float(sequence)}) if data is None else data
        values = {"stream": 0, "time": 1_000 + sequence, "partitionkey": "iris", "project": "iris"} | fields
        context = values.pop("context", Context(runid="r", step=sequence))
        record = SpoolRecord(
            sequence=sequence,
            type=kind or type_name("metric.logged"),
            context=context,
            data=msgspec.Raw(msgspec.msgpack.encode(data)),
            **values,
        )
        return msgspec.msgpack.encode(record)

    return make


@pytest.fixture
def writer(tmp_path):
    writer = SpoolWriter(tmp_path / "spool", this_process(NONCE, "0.1.0"))
    yield writer
    writer.abandon()


@pytest.fixture
def segment(tmp_path, writer, pack):
    """A sealed segment of six frames, two records each; returns its path."""
    for first in range(0, 12, 2):
        writer.write(SpoolClass.BULK, [pack(first), pack(first + 1)], 1)
    writer.close()
    (path,) = (tmp_path / "spool").iterdir()
    return path
