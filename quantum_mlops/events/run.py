"""Runs: one training, validation or serving process from its start to its end."""

from typing import Literal

from msgspec import Struct, field

from quantum_mlops.events.envelope import Label


class Failure(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """Why something failed, in the provider's or Python's own words, cut to 2,000 characters."""

    code: Label = ""
    message: str = ""


class RunStarted(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """A run began. `host` is the machine's name; `sdk_versions` maps package to version."""

    name: Label
    tags: dict[str, str] = field(default_factory=dict)
    code_version: str | None = None
    sdk_versions: dict[str, str] = field(default_factory=dict)
    host: str = ""
    implicit: bool = False


class RunHeartbeat(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """A run is alive. `uptime_seconds` is monotonic time since its start."""

    uptime_seconds: float


class RunEnded(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """A run ended; a run whose process died has no such event."""

    status: Literal["completed", "failed", "cancelled"]
    duration_seconds: float
    failure: Failure | None = None
