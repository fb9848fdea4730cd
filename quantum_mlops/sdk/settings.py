"""Where events go and whose they are: from arguments, else from the environment.

Names are those of the contract: `QML_DISABLED`, `QML_PROJECT`, `QML_TARGET`, `QML_SPOOL_DIR`,
`QML_STATE_DIR`; without them the XDG state folder of the user. A service's events are spooled in a
folder of their own inside it, one for each target and project, which no daemon reads. The token
(`QML_TOKEN`, `QML_TOKEN_FILE`) is no setting: it is read where it is sent.
"""

import math
from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct

from quantum_mlops.errors import ConfigError

DEFAULT_PROJECT = "default"
FLUSH_SECONDS = 5.0
_SHIPPED = ("http://", "https://", "kafka://", "mqtt://", "mqtts://")
_MAX_LABEL = 512
_MAX_FLUSH_SECONDS = 3600.0
_SWITCH = {"": False, "0": False, "false": False, "no": False, "1": True, "true": True, "yes": True}


class Settings(Struct, frozen=True, kw_only=True):
    """`spool` is the folder of the segments, `project` the owner of the events.

    `target` is the address of the service, of Kafka or of an MQTT broker, that they are shipped to, None where a daemon
    reads the folder. The end of the program waits at most `flush_seconds` for the service.
    """

    spool: str
    project: str = DEFAULT_PROJECT
    enabled: bool = True
    target: str | None = None
    flush_seconds: float = FLUSH_SECONDS


def read_settings(environ: Mapping[str, str], project: str | None = None, target: str | None = None) -> Settings:
    """Return the settings; arguments win over the environment.

    Raises:
        ConfigError: a value is wrong; the message names it and what is possible.

    >>> read_settings({"QML_SPOOL_DIR": "/data/spool", "QML_PROJECT": "iris"})
    Settings(spool='/data/spool', project='iris', enabled=True, target=None, flush_seconds=5.0)

    """
    text = environ.get("QML_DISABLED", "")
    disabled = _SWITCH.get(text.strip().lower())
    if disabled is None:
        raise ConfigError(f"QML_DISABLED is {text!r}: use 1 to switch the SDK off, 0 to leave it on")
    name = "project" if project is not None else "QML_PROJECT"
    owner = project if project is not None else environ.get("QML_PROJECT") or DEFAULT_PROJECT
    if not isinstance(owner, str) or not 0 < len(owner) <= _MAX_LABEL:
        raise ConfigError(f"{name} must be a text of 1 to {_MAX_LABEL} characters")
    place = str(target if target is not None else environ.get("QML_TARGET") or "spool:")
    wait = _flush_seconds(environ.get("QML_FLUSH_SECONDS") or str(FLUSH_SECONDS))
    if place.startswith(_SHIPPED):
        from quantum_mlops.shipping.address import outgoing_folder, parse_target  # noqa: PLC0415 - only where shipped

        address = parse_target(place)
        topics = environ.get("QML_KAFKA_TOPIC_PREFIX", "") if place.startswith("kafka:") else ""
        spool = str(outgoing_folder(Path(_spool("spool:", environ)), address, owner, topics))
        return Settings(spool=spool, project=owner, enabled=not disabled, target=str(address), flush_seconds=wait)
    return Settings(spool=_spool(place, environ), project=owner, enabled=not disabled, flush_seconds=wait)


def _flush_seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 <= seconds <= _MAX_FLUSH_SECONDS:
        raise ConfigError(f"QML_FLUSH_SECONDS is {text[:20]!r}: a number of seconds from 0 to {_MAX_FLUSH_SECONDS:.0f}")
    return seconds


def _spool(target: str, environ: Mapping[str, str]) -> str:
    scheme, colon, path = target.partition(":")
    if scheme != "spool" or not colon:
        # Whole only up to its scheme: what follows may hold a secret.
        shown = f"{scheme}:..." if colon else target
        raise ConfigError(
            f"target {shown!r}: possible are spool:, spool:/absolute/path, http://host:8765, https://host, "
            "kafka://host:9092, mqtt://host:1883, mqtts://host:8883"
        )
    if path:
        if not path.startswith("/") or path.startswith("//"):
            raise ConfigError(f"target {target!r}: the path of a spool is absolute, as in spool:/data/spool")
        return path
    if folder := environ.get("QML_SPOOL_DIR"):
        return str(Path(folder).absolute())
    if folder := environ.get("QML_STATE_DIR"):
        return str(Path(folder).absolute() / "spool")
    return str(_state_folder(environ) / "quantum-mlops" / "spool")


def _state_folder(environ: Mapping[str, str]) -> Path:
    folder = environ.get("XDG_STATE_HOME", "")
    if folder.startswith("/"):  # the XDG specification ignores relative paths
        return Path(folder)
    try:
        return Path.home() / ".local" / "state"
    except RuntimeError as error:
        raise ConfigError("this user has no home folder: set QML_SPOOL_DIR") from error
