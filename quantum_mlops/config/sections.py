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
    """The log. `memory` is gone with the process; `power-loss` costs one fsync a commit; `kafka` needs `[kafka]`.

    Records older than `retention` are removed, then the oldest until the log is under `max_bytes`; in Kafka
    the settings of its topics say what goes.
    """

    kind: Literal["sqlite", "memory", "kafka"] = "sqlite"
    durability: Literal["normal", "power-loss"] = "normal"
    retention: Duration = "30d"
    max_bytes: Count = 10 * 1024**3


class KafkaSection(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Kafka, for `[log] kind = "kafka"`. The words are those of Kafka's clients; secrets stand in files.

    `partitions` and `replication_factor` are what `quantum-mlops kafka init` makes topics with. `engine` delivers
    to workers; the results are the same.
    """

    bootstrap_servers: list[str]
    topic_prefix: str = "qml."
    group: str = "quantum-mlops"
    partitions: Annotated[int, Meta(ge=1, le=10_000)] = 12
    replication_factor: Annotated[int, Meta(ge=1, le=100)] = 1
    engine: Literal["aiokafka", "faust"] = "aiokafka"
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    ssl_cafile: str | None = None
    ssl_certfile: str | None = None
    ssl_keyfile: str | None = None
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"] | None = None
    sasl_username: str | None = None
    sasl_password_file: str | None = None
    oauth_token_file: str | None = None
    session_timeout: Duration = "10s"


class MqttSection(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The bridge: events that emitters publish on an MQTT broker. The password stands in a file.

    `topics` say whose events are taken; the project is the topic's. The broker keeps what comes while the daemon
    is away for `session_expiry`, under `client_id`: another daemon on the same broker needs another one.
    `receive_maximum` messages are under way at most before the log has them.
    """

    url: Annotated[str, Meta(min_length=1)]
    user: str | None = None
    password_file: str | None = None
    ca_file: str | None = None
    topics: list[str] = field(default_factory=lambda: ["qml/v1/+/events"])
    client_id: str = "quantum-mlops"
    session_expiry: Duration = "7d"
    receive_maximum: Annotated[int, Meta(ge=1, le=65_535)] = 2000


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


class FollowerSection(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The follower, a process of its own: it asks providers for the jobs that the log knows as open.

    `providers` are by default all that are installed; credentials come from where each provider's SDK takes them.
    No job is asked for more often than `interval`, no provider more than `calls_per_minute` times a minute, nobody
    waited for longer than `timeout`. Of more than `max_jobs` open jobs the oldest are followed no longer.
    The calibrations of the devices in use are read every `calibrations`; "0" for never.
    """

    enabled: bool = False
    providers: list[str] | None = None
    interval: Duration = "10s"
    calls_per_minute: Annotated[int, Meta(ge=1, le=6000)] = 60
    max_jobs: Annotated[int, Meta(ge=1, le=10_000)] = 1000
    timeout: Duration = "30s"
    calibrations: Duration = "15m"


class FolderSection(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A folder; relative to the file's own."""

    dir: Annotated[str, Meta(min_length=1)] | None = None


class Sections(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The whole file. `receivers` maps a name to its kinds and their settings."""

    receivers: ReceiverSections = field(default_factory=dict)
    route: Route | None = None
    rules: Rules = Rules()
    log: LogSection = LogSection()
    kafka: KafkaSection | None = None
    mqtt: MqttSection | None = None
    http: HttpSection = HttpSection()
    exporters: ExportersSection = ExportersSection()
    follower: FollowerSection = FollowerSection()
    state: FolderSection = FolderSection()
    spool: FolderSection = FolderSection()


class Config(Struct, frozen=True, kw_only=True):
    """A checked configuration.

    `path` is None where no file was found and the defaults are in force. `receivers` maps a name to
    its kinds and their typed settings; at least the route's receiver exists. `kafka` is there where
    `log.kind` is `kafka`, `mqtt` where there is a bridge; their files with absolute paths.
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
    kafka: KafkaSection | None = None
    mqtt: MqttSection | None = None
    follower: FollowerSection = FollowerSection()
