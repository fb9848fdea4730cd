"""What retention of every log shares: the bound of one pass, and what counts as unread."""

from collections.abc import Iterable, Mapping

from quantum_mlops.transports.base import Stream
from quantum_mlops.transports.rows import Place

STEP_ROWS = 5_000
_POSITION_BYTES = 8
_STREAMS = {stream.value: stream for stream in Stream}


def read_positions(cursors: Mapping[str, bytes], readers: Iterable[str]) -> dict[Place, int]:
    """Return, by stream and partition, the lowest next offset of `readers`; a reader counts where it has a cursor.

    >>> read_positions({"mlflow/summaries/0": (7).to_bytes(8, "big")}, ["mlflow"])
    {(<Stream.SUMMARIES: 'summaries'>, 0): 7}
    """
    names = set(readers)
    lowest: dict[Place, int] = {}
    for name, position in cursors.items():
        parts = name.rsplit("/", 2)
        if len(parts) != 3 or parts[0] not in names or len(position) != _POSITION_BYTES:  # noqa: PLR2004 - as named
            continue
        if parts[1] not in _STREAMS or not parts[2].isdecimal():
            continue
        place = (_STREAMS[parts[1]], int(parts[2]))
        offset = int.from_bytes(position, "big")
        lowest[place] = min(offset, lowest.get(place, offset))
    return lowest
