"""The HTTP service of the daemon: the routes of every room, on the configured address."""

from pathlib import Path

from starlette.routing import BaseRoute

from qml_daemon.assembly import Parts
from qml_daemon.http import health
from qml_daemon.http.address import parse_listen
from qml_daemon.http.app import build_app
from qml_daemon.http.server import HttpServer
from qml_daemon.http.token_file import TokenFile
from qml_daemon.metrics import routes as metrics
from qml_daemon.page import routes as page
from qml_daemon.places import STATUS
from qml_daemon.query.service import query_routes
from qml_daemon.silences import routes as silences
from qml_daemon.silences.keeper import SilenceKeeper
from quantum_mlops.config.sections import Config
from quantum_mlops.errors import ConfigError


def build_service(config: Config, parts: Parts) -> HttpServer | None:
    """Return the service, bound but not started; None where `http.listen` is off.

    Raises:
        ConfigError: the address is taken or not of this machine, or the tokens file is no good.

    """
    try:
        address = parse_listen(config.http.listen)
    except ValueError as error:
        raise ConfigError(f"http.listen: {error}") from error
    if address is None:
        return None
    tokens = None if config.http.tokens_file is None else TokenFile(Path(config.http.tokens_file))
    return HttpServer(build_app(all_routes(config, parts), tokens, config.http.external_url), address)


def all_routes(config: Config, parts: Parts) -> list[BaseRoute]:
    """Return every room's routes; a room that is added gives its own here."""
    return [
        *health.routes(parts.health),
        *parts.door.routes(),
        *metrics.routes(parts.meter.registry),
        *query_routes(config, parts),
        *silences.routes(SilenceKeeper(parts.inbox, parts.dispatcher.silences, parts.clock), parts.clock),
        *page.routes(None if config.log.kind == "memory" else config.state_dir / STATUS),
    ]
