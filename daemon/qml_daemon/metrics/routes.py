"""`GET /metrics`: Prometheus text or OpenMetrics, as the reader asks, gzip where it is accepted."""

import gzip

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder, gzip_accepted
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from qml_daemon.http.problem import Problem
from qml_daemon.http.tokens import project_of, require

_COMPRESSION = 1


def routes(registry: CollectorRegistry) -> list[Route]:
    """Return the route; with tokens it needs `read` of every project.

    A scrape is made in a worker thread, so that it holds up no other request.
    """

    @require("read")
    def scrape(request: Request) -> Response:
        if project_of(request) is not None:
            raise Problem(403, 'metrics tell of every project: they need a token with project "*"')
        encode, content_type = choose_encoder(request.headers.get("accept", ""))
        body = encode(registry)
        headers = {"Content-Type": content_type, "Vary": "Accept, Accept-Encoding"}
        if gzip_accepted(request.headers.get("accept-encoding", "")):
            body = gzip.compress(body, _COMPRESSION)
            headers["Content-Encoding"] = "gzip"
        return Response(body, headers=headers)

    return [Route("/metrics", scrape, methods=["GET"], name="metrics")]
