"""The events' topic of one test on a real broker: made, read, counted."""

import asyncio
import time
from collections import Counter

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from quantum_mlops.codec import decode

PARTITIONS = 5


async def _create(bootstrap, prefix, settings):
    client = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await client.start()
    try:
        settings = {"message.timestamp.type": "LogAppendTime"} | settings
        topic = f"{prefix}events.v1"
        await client.create_topics([NewTopic(topic, PARTITIONS, 1, topic_configs=settings)])
        until = time.monotonic() + 20
        while True:  # the broker learns of it a moment after its controller
            (found,) = await client.describe_topics([topic])
            if [part["leader"] for part in found["partitions"]].count(1) == PARTITIONS:
                return
            assert time.monotonic() < until, found
            await asyncio.sleep(0.02)
    finally:
        await client.close()


async def _read(bootstrap, prefix):
    topic = f"{prefix}events.v1"
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, auto_offset_reset="earliest")
    await consumer.start()
    try:
        places = [TopicPartition(topic, number) for number in range(PARTITIONS)]
        consumer.assign(places)
        await consumer.seek_to_beginning()
        ends = await consumer.end_offsets(places)
        records = []
        while any([await consumer.position(place) < ends[place] for place in places]):
            for found in (await consumer.getmany(timeout_ms=1000)).values():
                records += found
        return records
    finally:
        await consumer.stop()


class Topic:
    """The events' topic of one test, and what is in it."""

    def __init__(self, bootstrap, prefix):
        self.bootstrap = bootstrap
        self.prefix = prefix

    def create(self, **settings):
        asyncio.run(_create(self.bootstrap, self.prefix, settings))
        return self

    @property
    def target(self):
        return f"kafka://{self.bootstrap}"

    @property
    def environ(self):
        return {"QML_TARGET": self.target, "QML_KAFKA_TOPIC_PREFIX": self.prefix}

    def records(self):
        return asyncio.run(_read(self.bootstrap, self.prefix))

    def events(self):
        return [decode(record.value) for record in self.records()]

    def copies(self):
        """Return how often each event is there."""
        return Counter(event.key for event in self.events())

    def values(self, name):
        """Return the values of one metric, each event once, in the order of their numbers."""
        found = {event.key: event for event in self.events() if name in getattr(event.data, "values", {})}
        return [found[key].data.values[name] for key in sorted(found)]
