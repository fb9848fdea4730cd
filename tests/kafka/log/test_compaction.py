"""The broker compacts the states, really, and what is read afterwards is the same."""

import asyncio
import time

import pytest

from quantum_mlops.transports.base import Checkpoint, Commit
from quantum_mlops.transports.kafka.fetch import Fetcher
from quantum_mlops.transports.kafka.log import KafkaLog
from quantum_mlops.transports.kafka.settings import KafkaSettings
from quantum_mlops.transports.kafka.state import StateReader
from quantum_mlops.transports.kafka.topics import Topics, create

QUICK = {"segment.ms": "100", "min.cleanable.dirty.ratio": "0", "max.compaction.lag.ms": "100"}


def read(settings):
    """Return the checkpoint of partition 0 and how many records had to be read for it."""

    async def run():
        fetcher = Fetcher(settings)
        reader = StateReader(fetcher, Topics(settings.topic_prefix).state)
        try:
            return await reader.read(0), reader.records_read
        finally:
            await fetcher.close()

    return asyncio.run(run())


def wait_for(settings, enough, seconds=60):
    until = time.monotonic() + seconds
    while True:
        found, records = read(settings)
        if enough(records):
            return found, records
        assert time.monotonic() < until, f"{records} records are still there"
        time.sleep(0.2)


@pytest.mark.timeout(180)
def test_a_checkpoint_is_the_same_after_the_states_were_compacted(own_broker):
    broker = own_broker(properties={"log.cleaner.backoff.ms": "200"})
    settings = KafkaSettings(bootstrap_servers=(broker.bootstrap,), topic_prefix="compact.")
    asyncio.run(create(settings, 1, QUICK))
    log = KafkaLog(settings)
    try:
        truth, written = {}, 0
        for round_ in range(20):
            rows = {b"row%d" % key: b"%d" % round_ + b"x" * 200 for key in range(round_, 100 + round_)}
            rows[b"row%d" % (round_ - 1)] = None
            log.commit(0, Commit(watermark=b"w%d" % round_, rows=rows))
            truth |= rows
            written += len(rows) + 1
        live = {key: value for key, value in truth.items() if value is not None}
        assert log.checkpoint(0) == Checkpoint(watermark=b"w19", rows=live)
        time.sleep(0.2)  # longer than segment.ms: the next record begins a segment, the old one may be compacted
        log.commit(0, Commit(watermark=b"last"))
        assert log.checkpoint(0).watermark == b"last"  # its marker is there; others read it now
        found, left = wait_for(settings, lambda count: count < written / 4)
        assert found == Checkpoint(watermark=b"last", rows=live)
        assert len(live) < left
        heir = KafkaLog(settings)
        assert heir.checkpoint(0) == found
        heir.commit(0, Commit(watermark=b"heir", rows={b"row50": None}))
        assert b"row50" not in heir.checkpoint(0).rows
        heir.close()
    finally:
        log.close()
