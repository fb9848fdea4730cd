"""The worker's HTTP service: `/metrics`, `/-/healthy`, `/-/ready`, and nothing else."""

from pathlib import Path

from prometheus_client import CollectorRegistry, ProcessCollector

from qml_daemon.http import health
from qml_daemon.http.address import is_loopback, parse_listen
from qml_daemon.http.app import build_app
from qml_daemon.http.health import Health
from qml_daemon.http.server import HttpServer
from qml_daemon.http.token_file import TokenFile
from qml_daemon.metrics import routes as metrics
from qml_daemon.metrics.collector import FigureCollector
from qml_daemon.metrics.service import Board
from qml_daemon.worker.figures import WORKER_METRICS
from quantum_mlops.config.sections import Config
from quantum_mlops.errors import ConfigError


def build_service(config: Config, listen: str, health_: Health, board: Board) -> HttpServer | None:
    """Return the service, bound but not started; None where `listen` is off. Tokens are those of `[http]`.

    Raises:
        ConfigError: the address is none, is taken, or can be reached from elsewhere without tokens.

    """
    try:
        address = parse_listen(listen)
    except ValueError as error:
        raise ConfigError(f"--listen: {error}") from error
    if address is None:
        return None
    tokens = None if config.http.tokens_file is None else TokenFile(Path(config.http.tokens_file))
    if tokens is None and not is_loopback(address.host):
        raise ConfigError(
            f"--listen: {listen} can be reached from other machines, so tokens are needed: set http.tokens_file "
            "and make one (quantum-mlops token add)"
        )
    registry = CollectorRegistry(auto_describe=False)
    registry.register(FigureCollector([board.figures], WORKER_METRICS))
    ProcessCollector(registry=registry)
    routes = [*health.routes(health_), *metrics.routes(registry)]
    return HttpServer(build_app(routes, tokens, config.http.external_url), address)
