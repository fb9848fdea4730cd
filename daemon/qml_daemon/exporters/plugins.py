"""Which exporters are installed, and which a configuration asks for."""

from importlib.metadata import entry_points

from qml_daemon.exporters.base import ExporterKind
from quantum_mlops.config.sections import Config
from quantum_mlops.errors import ConfigError

GROUP = "quantum_mlops.exporters"


def asked_for(config: Config) -> list[str]:
    """Return the names of the exporters that have a section, sorted."""
    sections = config.exporters
    return sorted(name for name in sections.__struct_fields__ if getattr(sections, name) is not None)


def load_kind(name: str) -> ExporterKind:
    """Return what makes the exporter of that name.

    Raises:
        ConfigError: none is installed, or it cannot be loaded.

    """
    found = list(entry_points(group=GROUP, name=name))
    if not found:
        raise ConfigError(f"exporters.{name}: no exporter of that name is installed")
    try:
        kind: ExporterKind = found[0].load()
    except (ImportError, AttributeError) as error:
        raise ConfigError(f"exporters.{name}: {found[0].value} cannot be loaded: {error}") from error
    return kind
