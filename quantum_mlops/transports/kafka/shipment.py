"""What an append or a commit writes, packed by topic and partition; everything is checked before anything is sent."""

from collections.abc import Iterable, Sequence

from msgspec.structs import replace

from quantum_mlops.errors import LogError
from quantum_mlops.events import Event
from quantum_mlops.transports.base import Commit, DeadLetter
from quantum_mlops.transports.kafka.records import WATERMARK, Entry, encode_event, encode_letter, encode_row
from quantum_mlops.transports.kafka.topics import MAX_ROW_BYTES, Topics
from quantum_mlops.transports.kafka.transaction import Parcel
from quantum_mlops.transports.rows import split, split_letters


def pack_append(
    topics: Topics, partitions: int, events: Sequence[Event], partition: int | None, letters: Sequence[DeadLetter]
) -> list[Parcel]:
    """Return events by their key, or all in `partition`, and dead letters by the partition they name.

    Raises:
        EventTooLargeError: an event is over 64 KiB.
        LogError: a dead letter is over 16 MiB.

    """
    parcels = [
        Parcel((topics.events, index), [encode_event(event) for event in part])
        for index, part in split(events, partitions, partition).items()
    ]
    for index, part in split_letters(letters).items():
        parcels.append(Parcel((topics.dead_letters, index), list(_pack_letters(part))))
    return parcels


def pack_commit(topics: Topics, partitions: int, partition: int, commit: Commit, now: int) -> list[Parcel]:
    """Return the records of a commit: outputs and rows in `partition`, forwards by their key. `now` dates dead letters.

    Raises:
        EventTooLargeError: an event is over 64 KiB.
        LogError: a row or a dead letter is over 16 MiB, or a row has the watermark's key.

    """
    letters = [replace(letter, partition=partition, time=letter.time or now) for letter in commit.dead_letters]
    rows = [encode_row(WATERMARK, commit.watermark)]
    for key, value in commit.rows.items():
        if key == WATERMARK:
            raise LogError(f"{WATERMARK.decode()!r} cannot be the key of a row")
        rows.append(_check_size(encode_row(key, value), "a checkpoint row"))
    parcels = [
        Parcel((topics.findings, partition), [encode_event(event) for event in commit.findings]),
        Parcel((topics.summaries, partition), [encode_event(event) for event in commit.summaries]),
        Parcel((topics.dead_letters, partition), list(_pack_letters(letters))),
        Parcel((topics.state, partition), rows),
    ]
    for index, part in split(commit.forwards, partitions, None).items():
        parcels.append(Parcel((topics.events, index), [encode_event(event) for event in part]))
    return [parcel for parcel in parcels if parcel.entries]


def _pack_letters(letters: Iterable[DeadLetter]) -> Iterable[Entry]:
    for letter in letters:
        yield _check_size(encode_letter(letter), "a dead letter")


def _check_size(entry: Entry, what: str) -> Entry:
    if entry.size_bytes > MAX_ROW_BYTES:
        raise LogError(f"{what} of {entry.size_bytes} bytes is over the limit of {MAX_ROW_BYTES} bytes")
    return entry
