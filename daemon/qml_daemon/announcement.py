"""What READY says: where everything is, and what training code needs to find it."""

import os
from collections.abc import Mapping

from qml_daemon.assembly import Parts
from qml_daemon.places import store_path
from qml_daemon.training import training_need
from quantum_mlops.config.sections import Config
from quantum_mlops.version import __version__


def announce(config: Config, parts: Parts, url: str | None, environ: Mapping[str, str]) -> str:
    """Return the line."""
    need = training_need(config, environ)
    kinds = sorted(f"{receiver} ({kind})" for receiver, kind in parts.notifiers)
    names = sorted(processor.name for processor in parts.processors)
    place = "memory" if config.log.kind == "memory" else str(store_path(config))
    return (
        f"quantum-mlops {__version__} READY pid={os.getpid()} log={place} http={url or 'off'}"
        f" spool={config.spool_dir} config={config.path or 'defaults'}"
        f" processors={','.join(names)} receivers={', '.join(kinds)}" + ("" if need is None else f"; {need}")
    )
