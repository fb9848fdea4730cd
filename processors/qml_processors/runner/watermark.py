"""The watermark: the position of the last step committed, and what a replay up to it must know."""

import msgspec
from msgspec import Struct

from qml_processors.runner.position import Position

_FORMAT = 1


class Watermark(Struct, frozen=True, array_like=True):
    """Stored with every commit.

    `now` and `previous` are the partition's clock after and before the record of `position`. A position
    inside a firing says that its record passed the duplicate check. `replay_offset` and `replay_now`
    say where a replay starts and what the clock was there; `dropped` are the records since then that were
    dropped (ranges of offsets), `killed` the steps since then that were given up.
    """

    position: Position
    now: int
    previous: int
    replay_offset: int
    replay_now: int
    dropped: list[tuple[int, int]]
    killed: list[Position]
    format: int = _FORMAT


encode = msgspec.msgpack.Encoder().encode
decode = msgspec.msgpack.Decoder(Watermark).decode
