"""What a broker says of topics and groups, for the operator's commands. Nothing here changes anything."""

import asyncio
import struct
import time
from collections.abc import Iterable, Mapping
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment
from aiokafka.errors import GroupCoordinatorNotAvailableError
from msgspec import Struct

from quantum_mlops.errors import LogError
from quantum_mlops.transports.kafka.fetch import EARLIEST, LATEST, Fetcher
from quantum_mlops.transports.kafka.records import WATERMARK
from quantum_mlops.transports.kafka.settings import KafkaSettings

_TAIL_RECORDS = 256
_COORDINATOR_SECONDS, _AGAIN_SECONDS = 8.0, 0.2


class Described(Struct, frozen=True):
    """A topic as it is: partitions, the fewest replicas of one of them, and its settings in force."""

    partitions: int
    replicas: int
    settings: Mapping[str, str]


class Member(Struct, frozen=True, kw_only=True):
    """A member of a consumer group and the partitions of a topic that it has."""

    id: str
    client: str
    host: str
    partitions: list[int]


async def describe_topics(settings: KafkaSettings, names: Iterable[str]) -> Mapping[str, Described]:
    """Return those of the topics that exist.

    Raises:
        LogError: this user may not see their settings. Errors of aiokafka pass through to `KafkaLoop.run`.

    """
    client = AIOKafkaAdminClient(**settings.client_arguments())
    try:
        await client.start()
        there = set(await client.list_topics())
        wanted = [name for name in names if name in there]
        if not wanted:
            return {}
        shapes = {topic["topic"]: topic["partitions"] for topic in await client.describe_topics(wanted)}
        found: dict[str, Mapping[str, str]] = {}
        for answer in await client.describe_configs(
            [ConfigResource(ConfigResourceType.TOPIC, name) for name in wanted]
        ):
            for code, text, _, name, entries, *_ in answer.resources:
                if code:
                    raise LogError(f"topic {name}: its settings cannot be read: {text or f'error {code}'}")
                found[name] = {entry[0]: entry[1] or "" for entry in entries}
    finally:
        await client.close()
    return {
        name: Described(len(parts), min((len(part["replicas"]) for part in parts), default=0), found.get(name, {}))
        for name, parts in shapes.items()
    }


async def describe_group(settings: KafkaSettings, topic: str) -> list[Member]:
    """Return the members of our group that live now, with what they have of `topic`; none where nobody works."""
    client = AIOKafkaAdminClient(**settings.client_arguments())
    members = []
    try:
        await client.start()
        for answer in await _ask_coordinator(client, settings.group):
            for group in answer.groups:
                members += [_member(raw, topic) for raw in group[5]]
    finally:
        await client.close()
    return sorted(members, key=lambda one: (min(one.partitions, default=1 << 30), one.id))


async def _ask_coordinator(client: AIOKafkaAdminClient, group: str) -> Any:
    """Describe a group; brokers that never had one make its topic at the first question, and refuse that one."""
    until = time.monotonic() + _COORDINATOR_SECONDS
    while True:
        try:
            return await client.describe_consumer_groups([group])
        except GroupCoordinatorNotAvailableError:
            if time.monotonic() > until:
                raise
            await asyncio.sleep(_AGAIN_SECONDS)


async def newest_watermark(fetcher: Fetcher, topic: str, partition: int) -> bytes | None:
    """Return the last watermark of a partition of states; read from the end, where every commit leaves one."""
    place = (topic, partition)
    first, end = await fetcher.offset_at(place, EARLIEST), await fetcher.offset_at(place, LATEST)
    step = _TAIL_RECORDS
    while True:
        begin = offset = max(first, end - step)
        found: bytes | None = None
        while offset < end:
            page = await fetcher.fetch(place, offset)
            for record in page.records:
                if record.key == WATERMARK:
                    found = record.value
            if page.next_offset <= offset:
                break
            offset = page.next_offset
        if found is not None or begin <= first:
            return found
        step *= 8


def _member(raw: Any, topic: str) -> Member:
    member_id, client, host, _, assignment, *_ = raw
    partitions: list[int] = []
    if assignment:
        try:
            for name, numbers in ConsumerProtocolMemberAssignment.decode(assignment).assignment:
                partitions += numbers if name == topic else []
        except (ValueError, struct.error):  # of another protocol: who it is shows, what it has does not
            partitions = []
    return Member(id=member_id, client=client, host=host.removeprefix("/"), partitions=sorted(partitions))
