"""The follower's own figures, as a small file beside the daemon's `status.json`: what `doctor` and people read."""

import os
from pathlib import Path
from typing import Literal

import msgspec
from msgspec import Struct


class ProviderStatus(Struct, frozen=True, kw_only=True):
    """One provider. `open_jobs` go on, `unbilled_jobs` ended; counts since the start, times nanoseconds UTC.

    `looks` counts answers, `refusals` those that a job is not known or not told of, `errors` calls that failed.
    `closed` says why the provider cannot be asked at all, with the mend.
    """

    open_jobs: int
    unbilled_jobs: int
    looks: int
    refusals: int
    errors: int
    last_look: int | None = None
    last_error: str | None = None
    last_error_time: int | None = None
    asked_again: int | None = None
    closed: str | None = None


class FollowerStatus(Struct, frozen=True, kw_only=True):
    """What the follower does. `told` counts its events by type since the start, `given_up` jobs followed no longer.

    `behind` are records of the log that it has not read; `fault` is the last error of log, store or spool, None while
    all is well.
    """

    version: str
    pid: int
    state: Literal["running", "stopped"]
    started: int
    written: int
    behind: int
    removed: int
    told: dict[str, int]
    given_up: int
    refused_events: int
    fault: str | None
    providers: dict[str, ProviderStatus]


def status_path(state_dir: Path) -> Path:
    """Return the file of the figures."""
    return state_dir / "follower.json"


def store_path(state_dir: Path) -> Path:
    """Return the file of what must not be forgotten."""
    return state_dir / "follower.sqlite"


def write_follower_status(state_dir: Path, status: FollowerStatus) -> None:
    """Replace the file; a reader sees the old one or the new one.

    Raises:
        OSError: the disk refuses.

    """
    path = status_path(state_dir)
    draft = path.with_name(f".{path.name}.{status.pid}")
    draft.write_bytes(msgspec.json.format(msgspec.json.encode(status), indent=1))
    os.replace(draft, path)  # noqa: PTH105 - pathlib's replace is the same call


def read_follower_status(state_dir: Path) -> FollowerStatus | None:
    """Return the figures, or None where no follower of this version wrote them."""
    try:
        return msgspec.json.decode(status_path(state_dir).read_bytes(), type=FollowerStatus)
    except (OSError, msgspec.DecodeError):
        return None
