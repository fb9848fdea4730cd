"""What the runner counts, for metrics and for `doctor`."""

from msgspec import Struct, field


class Counts(Struct):
    """Counts of one partition since it was opened; a recovery's replay counts nothing.

    `losses` are the times the log no longer held what was still needed, `lost` the offsets it was about.
    """

    records: int = 0
    events: int = 0
    duplicates: int = 0
    unknown: int = 0
    undecodable: int = 0
    misplaced: int = 0
    timers: int = 0
    switches: int = 0
    late_configs: int = 0
    findings: int = 0
    summaries: int = 0
    dead_letters: int = 0
    batches: int = 0
    killed: int = 0
    losses: int = 0
    lost: int = 0
    processor_errors: dict[str, int] = field(default_factory=dict)


class PartitionStats(Struct, frozen=True, kw_only=True):
    """One partition at this moment. `given_up` says why it is not processed, None: it is.

    `now` is its effective ingestedtime, `lag` the records it has not read yet (at most), `mismatches`
    the open findings that the last recovery had to correct.
    """

    partition: int
    given_up: str | None = None
    now: int = 0
    offset: int = 0
    lag: int = 0
    replay_start: int = 0
    series: int = 0
    sources: int = 0
    dirty: int = 0
    timers: int = 0
    open_findings: int = 0
    mismatches: int = 0
    recovery_seconds: float = 0.0
    counts: Counts


class RunnerStats(Struct, frozen=True, kw_only=True):
    """All partitions of a runner."""

    partitions: list[PartitionStats]
