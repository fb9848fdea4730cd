"""The meter: all that the daemon's metrics are made of, put together once."""

from collections.abc import Sequence

from qml_daemon.follow import FollowerStats, Seat
from qml_daemon.following.figures import describe_followed
from qml_daemon.http.health import Health
from qml_daemon.metrics.collector import build_registry
from qml_daemon.metrics.service import Board, Files, describe_follower, describe_health, describe_log, describe_status
from qml_daemon.metrics.watched import Watched
from qml_daemon.status import Status
from quantum_mlops.clock import Clock
from quantum_mlops.transports.base import Log, Stream


class Meter:
    """Gives the follower its consumer (`seat`), the HTTP service its registry, and takes the loop's figures.

    Args:
        log: its ends as of now are where counting begins.
        health: what the loop says of itself.
        clock: nanoseconds UTC.
        processors: names, so that their errors are counted from 0.
        files: the log's files; None where it is in memory.
        counts_records: whether the log's ends say how many records it holds; on Kafka offsets have holes.

    Raises:
        LogError: the log cannot be read.

    """

    def __init__(
        self,
        log: Log,
        health: Health,
        clock: Clock,
        processors: Sequence[str],
        files: Files | None,
        *,
        counts_records: bool = True,
    ) -> None:
        self._log = log if counts_records else None
        self._processors = processors
        self._board = Board()
        places = [(stream, number) for stream in (Stream.EVENTS, Stream.SUMMARIES) for number in range(log.partitions)]
        watched = Watched(clock, {number: log.end(Stream.FINDINGS, number) for number in range(log.partitions)})
        self.seat = Seat(name="metrics", consumer=watched, start={place: log.end(*place) for place in places})
        sources = [watched.figures, self._board.figures, lambda: describe_health(health)]
        if files is not None:
            sources += [files.figures, lambda: describe_followed(files.folder)]
        self.registry = build_registry(sources)

    def publish(self, status: Status, follower: FollowerStats) -> None:
        """Show these figures to scrapes from now on. In the loop's thread.

        Raises:
            LogError: the log cannot be read.

        """
        figures = describe_status(status, self._processors)
        held = () if self._log is None else describe_log(self._log)
        self._board.publish([*figures, *held, *describe_follower(follower)])
