"""Which kinds of receivers there are, and the notifiers of a configuration."""

from collections.abc import Mapping
from importlib.metadata import entry_points

from msgspec import Struct

from qml_daemon.notifiers.base import Notifier, NotifierKind
from quantum_mlops.config.keys import join
from quantum_mlops.config.sections import Config
from quantum_mlops.errors import ConfigError

GROUP = "quantum_mlops.notifiers"


def load_kinds() -> dict[str, NotifierKind]:
    """Return the notifier classes by kind, from the entry points `quantum_mlops.notifiers`.

    Raises:
        ConfigError: one of them is installed and cannot be loaded.

    """
    kinds = {}
    for found in sorted(entry_points(group=GROUP), key=lambda one: one.name):
        try:
            kinds[found.name] = found.load()
        except (ImportError, AttributeError) as error:
            raise ConfigError(f"the notifier {found.name} ({found.value}) cannot be loaded: {error}") from error
    return kinds


def settings_of(kinds: Mapping[str, NotifierKind]) -> dict[str, type[Struct]]:
    """Return the settings' types by kind."""
    return {name: kind.settings for name, kind in kinds.items()}


def build_notifiers(config: Config, kinds: Mapping[str, NotifierKind]) -> dict[tuple[str, str], Notifier]:
    """Return the notifiers of all receivers, by (receiver, kind). Reads secrets, opens no connection.

    Raises:
        ConfigError: a line for each receiver that cannot be.

    """
    notifiers: dict[tuple[str, str], Notifier] = {}
    problems = []
    for receiver, settings in config.receivers.items():
        for kind, values in settings.items():
            try:
                notifiers[receiver, kind] = kinds[kind](values)
            except ConfigError as error:
                place = "" if config.path is None else f"{config.path}: "
                problems.append(f"{place}{join(join('receivers', receiver), kind)}: {error}")
    if problems:
        raise ConfigError("\n".join(problems))
    return notifiers
