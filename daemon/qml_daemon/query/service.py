"""From the daemon's parts to the routes of questions and of the stream."""

from functools import partial

from starlette.routing import BaseRoute

from qml_daemon.alert import Alert
from qml_daemon.assembly import Parts
from qml_daemon.firing import read_alerts
from qml_daemon.http.problem import Problem
from qml_daemon.places import OUTBOX
from qml_daemon.query import routes, stream
from qml_daemon.query.lists import Sources
from qml_daemon.query.watch import AlertWatch
from quantum_mlops.config.sections import Config


def query_routes(config: Config, parts: Parts) -> list[BaseRoute]:
    """Return the routes."""
    outbox = config.state_dir / OUTBOX
    if config.log.kind == "memory":
        sources = Sources(views=parts.views.reader, log=parts.log, alerts=_refuse_alerts)
        return [*routes.routes(sources), *stream.routes(parts.feed, _see_nothing)]
    read = partial(read_alerts, outbox)
    watch = AlertWatch(parts.feed, read, (outbox, outbox.with_name(f"{outbox.name}-wal")))
    sources = Sources(views=parts.views.reader, log=parts.log, alerts=read)
    return [*routes.routes(sources), *stream.routes(parts.feed, watch.look)]


def _refuse_alerts() -> list[Alert]:
    raise Problem(503, "the alerts of a log in memory are in no file; ask for findings, or set [log] kind")


def _see_nothing() -> None:
    """Alerts of a log in memory are not told; its findings are."""
