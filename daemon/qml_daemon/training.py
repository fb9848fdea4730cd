"""Whether training code finds this daemon by itself, or must be told where the spool is.

Training code does not read the daemon's file: with `[spool] dir` or `[state] dir` set there, it
would write to a spool that nobody reads.
"""

import os
from collections.abc import Mapping

from quantum_mlops.config.sections import Config
from quantum_mlops.errors import ConfigError
from quantum_mlops.sdk.settings import read_settings


def training_need(config: Config, environ: Mapping[str, str]) -> str | None:
    """Return what training code with this environment needs, or None where it writes to this spool already."""
    try:
        settings = read_settings(environ)
        if settings.target is not None:
            return None  # shipped to a service: no spool of a daemon is meant
        spool = settings.spool
    except ConfigError:  # its environment is wrong in another way, which the SDK reports there
        spool = os.devnull
    if os.path.realpath(spool) == os.path.realpath(config.spool_dir):
        return None
    return f"training code needs QML_TARGET=spool:{config.spool_dir}"
