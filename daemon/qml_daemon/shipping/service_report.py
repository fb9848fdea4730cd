"""What `doctor` says of a target `https://…` in the environment: whether programs here can send to it."""

from collections.abc import Iterator, Mapping

from qml_daemon.shipping.report import Line
from quantum_mlops.errors import ConfigError, PermanentError, RetryableError
from quantum_mlops.shipping.address import DEFAULT_PORT, Credential, parse_address
from quantum_mlops.shipping.answer import BatchRefusedError
from quantum_mlops.shipping.client import Client
from quantum_mlops.version import __version__

ANSWER_SECONDS = 10.0


def report_service(environ: Mapping[str, str]) -> Iterator[Line]:
    """Yield one line where QML_TARGET is a service. One request without an event; connects and waits 10 s at most."""
    target = environ.get("QML_TARGET", "")
    if not target.startswith(tuple(f"{scheme}://" for scheme in DEFAULT_PORT)):
        return
    credential = Credential(environ)
    try:
        address = parse_address(target)
    except ConfigError as error:
        yield "target", "fail", f"QML_TARGET: {error}"
        return
    client = Client(address, credential, ANSWER_SECONDS)
    try:
        version = client.check()
    except RetryableError as error:
        yield "target", "note", f"{address} {error}; programs keep their events in the spool meanwhile"
    except (PermanentError, BatchRefusedError) as error:
        yield "target", "fail", f"{address} {error}"
    else:
        token = "the token is accepted" if credential.is_set else "it asks for no token"
        told = "a version that it does not tell" if version is None else version
        yield "target", "ok", f"{address}: reachable, {token}, quantum-mlops {told} (here {__version__})"
    finally:
        client.close()
