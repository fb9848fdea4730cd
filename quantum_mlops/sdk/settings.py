"""Where events go and whose they are: from arguments, else from the environment.

Names are those of the contract: `QML_DISABLED`, `QML_PROJECT`, `QML_TARGET`, `QML_SPOOL_DIR`,
`QML_STATE_DIR`; without them the XDG state folder of the user.
"""

from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct

from quantum_mlops.errors import ConfigError

DEFAULT_PROJECT = "default"
_MAX_LABEL = 512
_SWITCH = {"": False, "0": False, "false": False, "no": False, "1": True, "true": True, "yes": True}


class Settings(Struct, frozen=True, kw_only=True):
    """`spool` is the folder of the segments, `project` the owner of the events."""

    spool: str
    project: str = DEFAULT_PROJECT
    enabled: bool = True


def read_settings(environ: Mapping[str, str], project: str | None = None, target: str | None = None) -> Settings:
    """Return the settings; arguments win over the environment.

    Raises:
        ConfigError: a value is wrong; the message names it and what is possible.

    >>> read_settings({"QML_SPOOL_DIR": "/data/spool", "QML_PROJECT": "iris"})
    Settings(spool='/data/spool', project='iris', enabled=True)

    """
    text = environ.get("QML_DISABLED", "")
    disabled = _SWITCH.get(text.strip().lower())
    if disabled is None:
        raise ConfigError(f"QML_DISABLED is {text!r}: use 1 to switch the SDK off, 0 to leave it on")
    name = "project" if project is not None else "QML_PROJECT"
    owner = project if project is not None else environ.get("QML_PROJECT") or DEFAULT_PROJECT
    if not isinstance(owner, str) or not 0 < len(owner) <= _MAX_LABEL:
        raise ConfigError(f"{name} must be a text of 1 to {_MAX_LABEL} characters")
    place = target if target is not None else environ.get("QML_TARGET") or "spool:"
    return Settings(spool=_spool(place, environ), project=owner, enabled=not disabled)


def _spool(target: str, environ: Mapping[str, str]) -> str:
    scheme, colon, path = str(target).partition(":")
    if scheme != "spool" or not colon:
        raise ConfigError(f"target {target!r}: this version supports spool: and spool:/absolute/path")
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
