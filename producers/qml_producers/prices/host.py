"""Prices inside a user's program: read once, never an exception, at most a line for each thing that is wrong."""

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache

from qml_producers.prices.catalogue import VARIABLE, Prices
from quantum_mlops.errors import ConfigError
from quantum_mlops.sdk.notice import say

_PLACES = (VARIABLE, "XDG_CONFIG_HOME", "HOME")


def open_for_host(environ: Mapping[str, str]) -> Prices:
    """Return the prices, as `Prices.open` does, once per process and set of files.

    Where a book of the user's is wrong that is said on stderr once, and every cost is unknown: the list price of
    somebody with a contract would be a wrong one. Never raises.
    """
    return _open(tuple((name, environ[name]) for name in _PLACES if name in environ))


@lru_cache(maxsize=8)
def _open(places: tuple[tuple[str, str], ...]) -> Prices:
    try:
        prices = Prices.open(dict(places))
    except (ConfigError, OSError) as error:
        say(f"{str(error).splitlines()[0]}; until it is mended costs are unknown (quantum-mlops prices check FILE)")
        return Prices(())
    for line in prices.old(datetime.now(UTC).date()):
        say(line)
    return prices
