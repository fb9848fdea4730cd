"""Random access to committed records: one Fetch request says what is there and where the end is.

aiokafka's consumer reads ahead and blocks at the end; a log's `read` does neither. So requests are made here,
with the client's connections, protocol and record code.
"""

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from aiokafka import errors
from aiokafka.client import AIOKafkaClient
from aiokafka.conn import create_conn
from aiokafka.consumer.fetcher import READ_COMMITTED, PartitionRecords
from aiokafka.protocol.fetch import FetchRequest
from aiokafka.protocol.metadata import MetadataRequest
from aiokafka.protocol.offset import OffsetRequest
from aiokafka.record.memory_records import MemoryRecords
from aiokafka.structs import TopicPartition

from quantum_mlops.errors import ConfigError
from quantum_mlops.transports.kafka.faults import explain, is_users_mistake
from quantum_mlops.transports.kafka.settings import KafkaSettings

Place = tuple[str, int]
LATEST, EARLIEST = -1, -2
_PAGE_BYTES = 512 * 1024
_PAUSE_SECONDS = 0.1
_MARKER_SECONDS = 0.002
_MARKER_PATIENCE_SECONDS = 1.0
_PATIENCE_SECONDS = 20.0
_START_SECONDS = 15.0


class Raw(Protocol):
    """A record as the client gives it."""

    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None


class Page(NamedTuple):
    """What one request found. `end` is the last stable offset; records may end before `next_offset`."""

    records: Sequence[Raw]
    next_offset: int
    end: int


async def probe(settings: KafkaSettings) -> None:
    """Sign in to one of the brokers. Waits for 15 s where it has just started and is not in service yet.

    aiokafka's clients never recover from being told of no broker, so ask this before making one.

    Raises:
        ConfigError: the credentials, TLS or the broker's version do not fit.
        LogError: none can be reached.

    """
    last: BaseException = OSError("no broker is named")
    until = time.monotonic() + _START_SECONDS
    while True:
        for server in settings.bootstrap_servers:
            try:
                if await _sign_in(server, settings):
                    return
            except (errors.KafkaError, OSError, TimeoutError, NotImplementedError, AssertionError) as error:
                last = error
            else:
                last = errors.NodeNotReadyError("it is starting")
        if not isinstance(last, errors.NodeNotReadyError) or time.monotonic() > until:
            break
        await asyncio.sleep(_PAUSE_SECONDS)
    await asyncio.sleep(_PAUSE_SECONDS)  # a TLS connection that was refused closes in later turns of the loop
    if isinstance(last, (ConnectionResetError, BrokenPipeError)) or str(last).endswith("closed"):
        last = ConnectionError(f"the broker closes the connection; is security_protocol {settings.security_protocol}?")
    told = explain(last, "signing in", settings.servers)
    raise (ConfigError(str(told)) if is_users_mistake(last) else told) from last


async def _sign_in(server: str, settings: KafkaSettings) -> bool:
    """Return whether a broker is in service, by its own account."""
    host, _, port = server.rpartition(":")
    arguments = settings.client_arguments()
    del arguments["bootstrap_servers"]
    connection = await create_conn(host.strip("[]"), int(port), **arguments)
    try:  # before signing in a broker answers nothing but who it is
        return bool((await connection.send(MetadataRequest([]))).brokers)
    finally:
        if (closed := connection.close()) is not None:
            await closed


class Fetcher:
    """Reads any committed record by topic, partition and offset. Lives on one event loop.

    Methods try again for 20 s while brokers change or are away, then raise aiokafka's error.
    """

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings = settings
        self._client: Any = None
        self._floor: dict[Place, int] = {}
        self._connecting = asyncio.Lock()

    async def count_partitions(self, names: Iterable[str]) -> Mapping[str, int]:
        """Return the number of partitions of those of the topics that exist."""
        until = time.monotonic() + _PATIENCE_SECONDS
        while True:
            try:
                client = await self._connect()
                answer = await client.send(client.get_random_node(), MetadataRequest(list(names)))
            except errors.KafkaError as error:
                await self._mend(error, until)
                continue
            found = [(code, name, len(partitions)) for code, name, _, partitions, *_ in answer.topics]
            if not any(code == errors.LeaderNotAvailableError.errno for code, *_ in found):
                return {name: count for code, name, count in found if code == 0}
            await asyncio.sleep(_PAUSE_SECONDS)

    async def fetch(self, place: Place, offset: int, max_bytes: int = _PAGE_BYTES) -> Page:
        """Return the committed records at `offset` and after; none at the end.

        Where `offset` is before the first record kept, reading begins there.
        """
        asked = [(place[0], [(place[1], offset, max_bytes)])]

        def request() -> Any:
            return FetchRequest(0, 1, max_bytes, READ_COMMITTED, asked)

        patience = time.monotonic() + _MARKER_PATIENCE_SECONDS
        while True:
            code, _, *rest = await self._ask(place, request)
            if code == errors.OffsetOutOfRangeError.errno:
                first, end = await self.offset_at(place, EARLIEST), await self.offset_at(place, LATEST)
                if offset >= first:
                    return Page((), end, end)
                return await self.fetch(place, first, max_bytes)
            end = rest[0]
            if self._is_far_enough(place, end, patience):
                break
            await asyncio.sleep(_MARKER_SECONDS)
        page = _open(place, offset, rest, end)
        while not page.records and page.next_offset < end:  # markers and aborted records only
            before = page.next_offset
            page = await self.fetch(place, before, max_bytes)
            if page.next_offset == before:
                await asyncio.sleep(_MARKER_SECONDS)  # the broker knows the end before it gives the records
                break
        return page

    async def offset_at(self, place: Place, timestamp_ms: int) -> int:
        """Return the first offset at or after a time, or of `EARLIEST`, `LATEST` (the last stable one); else -1."""
        asked = [(place[0], [(place[1], timestamp_ms)])]
        patience = time.monotonic() + _MARKER_PATIENCE_SECONDS
        while True:
            _, _, offset = await self._ask(place, lambda: OffsetRequest(-1, READ_COMMITTED, asked))
            if timestamp_ms != LATEST or self._is_far_enough(place, offset, patience):
                return int(offset)
            await asyncio.sleep(_MARKER_SECONDS)

    def expect(self, place: Place, offset: int) -> None:
        """Let no end before `offset` be seen: this process has committed up to there, the marker may be on its way."""
        self._floor[place] = max(self._floor.get(place, 0), offset)

    def _is_far_enough(self, place: Place, end: int, patience: float) -> bool:
        if end < self._floor.get(place, 0) and time.monotonic() < patience:
            return False
        self._floor.pop(place, None)  # reached; or somebody else's open transaction is in front of it
        return True

    async def close(self) -> None:
        """Close the connections; the next call opens new ones."""
        client, self._client = self._client, None
        if client is not None:
            await client.close()

    async def _connect(self) -> Any:
        async with self._connecting:  # several readers, one client
            if self._client is None:
                client = AIOKafkaClient(**self._settings.client_arguments())
                try:
                    await client.bootstrap()
                except BaseException:
                    await client.close()
                    raise
                if client.get_random_node() is None:
                    await client.close()
                    raise errors.NodeNotReadyError("it is starting")
                self._client = client
            return self._client

    async def _ask(self, place: Place, request: Callable[[], Any]) -> Sequence[Any]:
        """Return the answer for one partition, from its leader."""
        partition = TopicPartition(*place)
        until = time.monotonic() + _PATIENCE_SECONDS
        while True:
            try:
                client = await self._connect()
                leader = await self._find_leader(client, partition)
                answer = await client.send(leader, request())
            except errors.KafkaError as error:
                await self._mend(error, until)
                continue
            ((_, (parts,)),) = answer.topics
            told = errors.for_code(parts[1])
            if told is errors.NoError or told is errors.OffsetOutOfRangeError:
                return list(parts[1:])
            await self._mend(told(place[0]), until)

    async def _find_leader(self, client: Any, partition: Any) -> int:
        leader = client.cluster.leader_for_partition(partition)
        if leader is None:
            await client.add_topic(partition.topic)
            leader = client.cluster.leader_for_partition(partition)
        if leader is None or leader == -1:
            raise errors.LeaderNotAvailableError(partition.topic)
        return int(leader)

    async def _mend(self, error: Any, until: float) -> None:
        """After an error that may pass: look up the leaders anew. Others are raised, and all after `until`."""
        if not error.retriable or time.monotonic() > until:
            raise error
        await asyncio.sleep(_PAUSE_SECONDS)
        if self._client is not None:
            await self._client.force_metadata_update()


def _open(place: Place, offset: int, rest: Sequence[Any], end: int) -> Page:
    aborted, data = rest[-2] if len(rest) < 5 else rest[2], rest[-1]  # noqa: PLR2004 - from v11 on a replica between
    whole = MemoryRecords(data)
    if not whole.has_next():
        return Page((), offset, end)
    unpacked = PartitionRecords(
        TopicPartition(*place), whole, aborted, offset,
        key_deserializer=None, value_deserializer=None, check_crcs=True, isolation_level=READ_COMMITTED,
    )  # fmt: skip
    records = list(unpacked)
    return Page(records, max(offset, unpacked.next_fetch_offset), end)
