"""Which providers can be asked: the doors that are installed, by entry point."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from importlib.metadata import EntryPoint, entry_points

from qml_producers.following.jobs import Serves
from qml_producers.observing.door import GROUP, Asked, Door
from quantum_mlops.config.keys import suggest
from quantum_mlops.config.sections import Sections
from quantum_mlops.errors import ConfigError

Offers = Callable[[str, str], bool]
"""Whether a provider's service has a backend of that name, as far as its door can tell without asking."""

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
    tell = _words_of(providers, "serves")

    def serves(provider: str, job: Asked) -> bool:
        known = tell.get(provider)
        return known is None or bool(known(job))

    return serves


def find_offered(providers: Iterable[str]) -> Offers:
    """Return what tells the devices of services from simulators in their SDKs, as far as doors can tell."""
    tell = _words_of(providers, "offers")

    def offers(provider: str, backend: str) -> bool:
        known = tell.get(provider)
        return known is None or bool(known(backend))

    return offers


def _words_of(providers: Iterable[str], name: str) -> dict[str, Callable[..., bool]]:
    """Return the static method of that name of each door that has it."""
    wanted = set(providers)
    kinds = {entry.name: _kind_of(entry) for entry in entry_points(group=GROUP) if entry.name in wanted}
    return {provider: word for provider, kind in kinds.items() if (word := getattr(kind, name, None)) is not None}


def _kind_of(entry: EntryPoint) -> object:
    try:
        kind: object = entry.load()
    except (ImportError, AttributeError):  # opening it says why
        return None
    return kind


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
