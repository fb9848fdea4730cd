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
    is_afar = config.log.kind == "kafka"
    names = "in workers" if is_afar else ",".join(sorted(processor.name for processor in parts.processors))
    return (
        f"quantum-mlops {__version__} READY pid={os.getpid()} log={_describe_log(config)} http={url or 'off'}"
        f" spool={config.spool_dir} config={config.path or 'defaults'}"
        f" processors={names} receivers={', '.join(kinds)}" + ("" if need is None else f"; {need}")
    )


def _describe_log(config: Config) -> str:
    if config.kafka is not None and config.log.kind == "kafka":
        return f"kafka://{','.join(config.kafka.bootstrap_servers)}/{config.kafka.topic_prefix}*"
    return "memory" if config.log.kind == "memory" else str(store_path(config))
