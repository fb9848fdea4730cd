"""The sections of `quantum-mlops.toml`, each with its defaults.

`Sections` is the file as it stands; `Config` is what the daemon works with: receivers are typed by
their kind, folders are absolute paths. Words and defaults of routes are those of Prometheus Alertmanager.

Source: Alertmanager documentation, "Configuration".
"""

from pathlib import Path
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct, field

from quantum_mlops.config.duration import Duration
from quantum_mlops.config.rules import Rules

GROUP_WAIT = "30s"
GROUP_INTERVAL = "5m"
REPEAT_INTERVAL = "4h"
DEFAULT_RECEIVER = "log"

Count = Annotated[int, Meta(ge=1)]
ReceiverSections = dict[str, dict[str, dict[str, Any]]]


class Route(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Which alerts go where. What a nested route leaves out it takes from its parent.

    A nested route is tried when all its `matchers` hold (`severity="critical"`, `backend=~"ibm_.*"`);
    the first that takes the alert ends the search unless it says `continue`. `group_by = ["..."]`
    makes a group of every set of labels.
    """

    receiver: str | None = None
    group_by: list[str] | None = None
    group_wait: Duration | None = None
    group_interval: Duration | None = None
    repeat_interval: Duration | None = None
    matchers: list[str] = field(default_factory=list)
    continue_: bool = field(default=False, name="continue")
    routes: list["Route"] = field(default_factory=list)


class LogSection(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The log. `memory` is gone with the process; `power-loss` costs one fsync a commit.

    Records older than `retention` are removed, then the oldest until the log is under `max_bytes`.
    """

    kind: Literal["sqlite", "memory"] = "sqlite"
    durability: Literal["normal", "power-loss"] = "normal"
    retention: Duration = "30d"
    max_bytes: Count = 10 * 1024**3


class HttpSection(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The daemon's HTTP service. `listen` is `host:port`, port 0 any free one, or `off`.

    Anything but loopback needs `tokens_file`. `external_url` is how people reach the service; alerts link to it.
    """

    listen: Annotated[str, Meta(min_length=1)] = "127.0.0.1:8765"
    tokens_file: str | None = None
    external_url: str | None = None


class MlflowSection(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The MLflow exporter, a process of its own. `tracking_uri` is a server's or an absolute `sqlite:///` address."""

    tracking_uri: Annotated[str, Meta(min_length=1)]


class ExportersSection(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where summaries and metrics go besides; none unless named."""

    mlflow: MlflowSection | None = None


class FolderSection(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A folder; relative to the file's own."""

    dir: Annotated[str, Meta(min_length=1)] | None = None


class Sections(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The whole file. `receivers` maps a name to its kinds and their settings."""

    receivers: ReceiverSections = field(default_factory=dict)
    route: Route | None = None
    rules: Rules = Rules()
    log: LogSection = LogSection()
    http: HttpSection = HttpSection()
    exporters: ExportersSection = ExportersSection()
    state: FolderSection = FolderSection()
    spool: FolderSection = FolderSection()


class Config(Struct, frozen=True, kw_only=True):
    """A checked configuration.

    `path` is None where no file was found and the defaults are in force. `receivers` maps a name to
    its kinds and their typed settings; at least the route's receiver exists.
    """

    path: Path | None
    receivers: dict[str, dict[str, Struct]]
    route: Route
    rules: Rules
    log: LogSection
    http: HttpSection
    exporters: ExportersSection
    state_dir: Path
    spool_dir: Path
