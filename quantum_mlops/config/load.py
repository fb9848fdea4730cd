"""Read the configuration: file, environment overlay, defaults; every mistake named with its place.

Source of the search order and of the names: docs/architecture.md, "Configuration".
"""

import os
import stat
import tomllib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from msgspec import Struct, inspect

from quantum_mlops.config.checks import check_sections
from quantum_mlops.config.keys import explain, find_problems, join, suggest, type_of
from quantum_mlops.config.overlay import apply_overlay
from quantum_mlops.config.secret_file import read_secret
from quantum_mlops.config.sections import DEFAULT_RECEIVER, Config, HttpSection, Route, Sections
from quantum_mlops.errors import ConfigError

FILE_NAME = "quantum-mlops.toml"
MAX_BYTES = 1024 * 1024
MAX_SECRET_BYTES = 4096

_PUBLIC_FILES = frozenset(("ssl_cafile", "ssl_certfile", "ssl_keyfile", "ca_file"))
"""Files of TLS: looked at as TLS does, and not for who else may read them."""

Check = Callable[[Sections], Iterable[str]]
Placed = TypeVar("Placed", bound=Struct)


def load_config(
    path: Path | None, environ: Mapping[str, str], kinds: Mapping[str, type[Struct]], checks: Iterable[Check] = ()
) -> Config:
    """Return the checked configuration. Reads files, writes nothing.

    `path` is what the user named, else `QML_CONFIG`, `./quantum-mlops.toml` and the user's folder are
    tried, else the defaults are in force. `kinds` are the settings by kind of receiver; `log` is among
    them. `checks` are further ones, of what only the caller knows.

    Raises:
        ConfigError: a line for each mistake, with the file, the path of the key and the mend.

    """
    found = find_file(path, environ)
    tree = {} if found is None else _read(found)
    types = {name: type_of(kind) for name, kind in kinds.items()}
    whole = type_of(Sections)
    assert isinstance(whole, inspect.StructType)  # noqa: S101 - for the type checker
    problems = apply_overlay(tree, environ, whole, types)
    problems += find_problems(tree, whole)
    sections = _convert(tree, problems)
    folder = Path.cwd() if found is None else found.parent
    receivers: dict[str, dict[str, Struct]] = {}
    kafka = mqtt = None
    if sections is not None:
        receivers = _type_receivers(sections, kinds, folder, problems)
        for check in (check_sections, *checks):
            problems += check(sections)
        kafka = _place_files(sections.kafka, "kafka", folder, problems)
        mqtt = _place_files(sections.mqtt, "mqtt", folder, problems)
    if sections is None or problems:
        place = "" if found is None else f"{found}: "
        raise ConfigError("\n".join(place + line for line in dict.fromkeys(problems)))
    state_dir = find_state_dir(environ, sections.state.dir, folder)
    spool = environ.get("QML_SPOOL_DIR") or sections.spool.dir
    return Config(
        path=found,
        receivers=receivers or {DEFAULT_RECEIVER: {"log": kinds["log"]()}},
        route=_default_receiver(sections.route or Route()),
        rules=sections.rules,
        log=sections.log,
        kafka=kafka,
        mqtt=mqtt,
        http=_place_tokens(sections.http, folder),
        exporters=sections.exporters,
        follower=sections.follower,
        state_dir=state_dir,
        spool_dir=state_dir / "spool" if spool is None else _absolute(spool, folder),
    )


def _place_tokens(section: HttpSection, folder: Path) -> HttpSection:
    if section.tokens_file is None:
        return section
    return msgspec.structs.replace(section, tokens_file=str(_absolute(section.tokens_file, folder)))


def _place_files(section: Placed | None, name: str, folder: Path, problems: list[str]) -> Placed | None:
    """Return the section with absolute paths; a file that cannot be read, or a secret open to others, is a problem."""
    if section is None:
        return None
    placed = {}
    for key in (key for key in section.__struct_fields__ if key in _PUBLIC_FILES or key.endswith("_file")):
        if not (text := getattr(section, key)):
            continue
        place = _absolute(text, folder)
        placed[key] = str(place)
        try:
            if key in _PUBLIC_FILES:
                place.read_bytes()
            else:
                read_secret(place, f"{name}.{key}")
        except OSError as error:
            problems.append(f"{name}.{key}: cannot read {place}: {error.strerror}")
        except ConfigError as error:
            problems.append(str(error))
    return msgspec.structs.replace(section, **placed)


def _default_receiver(route: Route) -> Route:
    """Return the top route; without any receiver alerts go to the daemon's own log."""
    return route if route.receiver is not None else msgspec.structs.replace(route, receiver=DEFAULT_RECEIVER)


def find_file(path: Path | None, environ: Mapping[str, str]) -> Path | None:
    """Return the file to read, absolute, or None where there is none.

    Raises:
        ConfigError: the file that the user named does not exist, or one cannot be looked at.

    """
    named = path or (Path(environ["QML_CONFIG"]) if environ.get("QML_CONFIG") else None)
    if named is not None:
        if not is_file(named):
            said = "--config" if path is not None else "QML_CONFIG"
            raise ConfigError(f"{named}: {said} names no file")
        return named.absolute()
    places = (Path(FILE_NAME), find_config_dir(environ) / FILE_NAME)
    return next((place.absolute() for place in places if is_file(place)), None)


def is_file(path: Path) -> bool:
    """Return whether a file is there.

    Raises:
        ConfigError: it cannot be said, as in a folder of another user.

    """
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error


def find_state_dir(environ: Mapping[str, str], configured: str | None, folder: Path) -> Path:
    """Return where the store, the outbox and by default the spool are: `QML_STATE_DIR`, the file, the user's folder."""
    if environ.get("QML_STATE_DIR"):
        return Path(environ["QML_STATE_DIR"]).expanduser().absolute()
    if configured is not None:
        return _absolute(configured, folder)
    return _user_dir(environ, "XDG_STATE_HOME", ".local/state")


def find_config_dir(environ: Mapping[str, str]) -> Path:
    """Return the user's configuration folder, there or not."""
    return _user_dir(environ, "XDG_CONFIG_HOME", ".config")


def _user_dir(environ: Mapping[str, str], variable: str, default: str) -> Path:
    """Return the folder of the XDG base directory specification, which ignores relative paths."""
    base = environ.get(variable, "")
    return (Path(base) if base.startswith("/") else Path.home() / default) / "quantum-mlops"


def _absolute(text: str, folder: Path) -> Path:
    return Path(os.path.normpath(folder / Path(text).expanduser()))


def _read(path: Path) -> dict[str, Any]:
    try:
        data = path.read_bytes()[: MAX_BYTES + 1]
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
    if len(data) > MAX_BYTES:
        raise ConfigError(f"{path}: over 1 MiB, this is no configuration")
    try:
        return tomllib.loads(data.decode())
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: not UTF-8 at byte {error.start}") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: not TOML: {error}") from error
    except RecursionError as error:
        raise ConfigError(f"{path}: nested too deeply, this is no configuration") from error


def _convert(tree: dict[str, Any], problems: list[str]) -> Sections | None:
    """Return the typed sections; what msgspec finds is added unless the walk already named that key."""
    for name, section in tree.items():
        try:
            msgspec.convert({name: section}, Sections)
        except msgspec.ValidationError as error:
            _add(problems, explain(error))
    try:
        return msgspec.convert(tree, Sections)
    except msgspec.ValidationError:
        return None


def _add(problems: list[str], line: str) -> None:
    place = line.partition(": ")[0]
    if not any(problem.startswith((f"{place}: ", f"{place}.")) for problem in problems):
        problems.append(line)


def _type_receivers(
    sections: Sections, kinds: Mapping[str, type[Struct]], folder: Path, problems: list[str]
) -> dict[str, dict[str, Struct]]:
    typed: dict[str, dict[str, Struct]] = {}
    for name, receiver in sections.receivers.items():
        path = join("receivers", name)
        if not receiver:
            problems.append(f"{path}: a receiver needs a kind; known are {', '.join(sorted(kinds))}")
        for kind, settings in receiver.items():
            here = join(path, kind)
            if kind not in kinds:
                problems.append(f"{here}: unknown kind of receiver{suggest(kind, list(kinds))}")
                continue
            wrong = list(find_problems(settings, type_of(kinds[kind]), here))
            if not wrong:
                try:
                    made = msgspec.convert(_resolve_files(settings, folder, here, wrong), kinds[kind])
                    typed.setdefault(name, {})[kind] = made
                except msgspec.ValidationError as error:
                    wrong.append(_explain_settings(here, error))
            problems.extend(wrong)
    return typed


def _explain_settings(path: str, error: msgspec.ValidationError) -> str:
    line = explain(error)
    if line.startswith("Object missing required field"):
        return f"{path}: {line.split('`')[1]} is missing"
    return f"{path}.{line}"


def _resolve_files(settings: dict[str, Any], folder: Path, path: str, problems: list[str]) -> dict[str, Any]:
    """Return the settings with absolute `*_file` paths; an unreadable one is a problem."""
    resolved = dict(settings)
    for key, text in settings.items():
        if not key.endswith("_file") or not isinstance(text, str):
            continue
        place = _absolute(text, folder)
        resolved[key] = str(place)
        try:
            size = len(place.read_bytes()[: MAX_SECRET_BYTES + 1].strip())
        except OSError as error:
            problems.append(f"{join(path, key)}: cannot read {place}: {error.strerror}")
            continue
        if not 0 < size <= MAX_SECRET_BYTES:
            problems.append(f"{join(path, key)}: {place} is {'over 4 KiB' if size else 'empty'}")
    return resolved
