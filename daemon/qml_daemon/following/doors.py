"""Which providers can be asked: the doors that are installed, by entry point."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from importlib.metadata import EntryPoint, entry_points

from qml_producers.following.jobs import Serves
from qml_producers.observing.door import GROUP, Asked, Door
from quantum_mlops.config.keys import suggest
from quantum_mlops.config.sections import Sections
from quantum_mlops.errors import ConfigError

OpenDoor = Callable[[], Door]
"""Opens one provider's door; raises ConfigError with the mend."""


def known_providers() -> list[str]:
    """Return the names of all providers that have a door, sorted; whether their SDK is installed shows at opening."""
    return sorted({entry.name for entry in entry_points(group=GROUP)})


def find_doors(
    providers: Iterable[str] | None, environ: Mapping[str, str], timeout_seconds: float
) -> dict[str, OpenDoor]:
    """Return how to open the doors of the providers that are named, or of all."""
    wanted = known_providers() if providers is None else providers
    entries = {entry.name: entry for entry in entry_points(group=GROUP)}
    return {name: partial(open_door, entries[name], environ, timeout_seconds) for name in wanted if name in entries}


def find_served(providers: Iterable[str]) -> Serves:
    """Return what tells the jobs of services from those of simulators in their SDKs, as far as doors can tell."""
    kinds = {entry.name: _serves_of(entry) for entry in entry_points(group=GROUP)}
    tell = {name: kinds[name] for name in providers if kinds.get(name) is not None}

    def serves(provider: str, job: Asked) -> bool:
        known = tell.get(provider)
        return known is None or bool(known(job))

    return serves


def _serves_of(entry: EntryPoint) -> Callable[[Asked], bool] | None:
    try:
        return getattr(entry.load(), "serves", None)
    except (ImportError, AttributeError):  # opening it says why
        return None


def open_door(entry: EntryPoint, environ: Mapping[str, str], timeout_seconds: float) -> Door:
    """Return an open door. Imports the provider's SDK, which takes seconds.

    Raises:
        ConfigError: no credentials, no SDK, or what stands under the entry point is no door.

    """
    try:
        kind = entry.load()
    except (ImportError, AttributeError) as error:
        raise ConfigError(f"{entry.value} cannot be loaded: {error}") from error
    door: Door = kind.open(environ, timeout_seconds)
    return door


def check_follower(sections: Sections) -> Iterator[str]:
    """Yield one line for each provider that is named and has no door."""
    if not sections.follower.providers:
        return
    known = known_providers()
    for index, name in enumerate(sections.follower.providers):
        if name not in known:
            yield f"follower.providers[{index}]: no provider is called {name!r}{suggest(name, known)}"
