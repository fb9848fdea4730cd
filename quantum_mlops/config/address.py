"""Addresses of MLflow tracking servers: compared and shown without what is secret in them."""

import posixpath
from urllib.parse import unquote, urlsplit, urlunsplit

_LOOPBACK = {"localhost", "127.0.0.1", "::1"}
_PORTS = {"http": 80, "https": 443}
_SQLITE = "sqlite:///"


def strip_address(text: str) -> str:
    """Return an address without user, password, query and fragment, in one spelling; at most 512 characters.

    A path of this machine is an address too. What cannot be read as an address is the empty text.

    >>> strip_address("https://ann:secret@Track.example.org:443/mlflow/?token=x")
    'https://track.example.org/mlflow'
    >>> strip_address("http://localhost:5000"), strip_address("sqlite:////data/mlflow.db")
    ('http://127.0.0.1:5000', 'sqlite:////data/mlflow.db')
    """
    try:
        parts = urlsplit(text.strip())
        host, port = (parts.hostname or "").lower(), parts.port
    except ValueError:
        return ""
    host = "127.0.0.1" if host in _LOOPBACK else f"[{host}]" if ":" in host else host
    if port is not None and port != _PORTS.get(parts.scheme):
        host += f":{port}"
    path = parts.path.rstrip("/")
    if parts.scheme.startswith("sqlite") and not host:
        return f"{parts.scheme}://{path}"[:512]
    return urlunsplit((parts.scheme, host, path, "", ""))[:512]


def find_address_fault(text: str) -> str | None:
    """Return why the exporter cannot use this tracking address, with the mend, or None where it can.

    >>> find_address_fault("sqlite:///mlflow.db")
    'a relative path would be another store in every folder: write sqlite:////absolute/path/mlflow.db'
    >>> find_address_fault("http://127.0.0.1:5000"), find_address_fault("sqlite:////data/mlflow.db")
    (None, None)
    """
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError as error:
        return f"no address: {error}"
    if parts.scheme == "sqlite":
        return _find_sqlite_fault(text)
    faults = {
        "use http://host:port, https://… or sqlite:////absolute/path/mlflow.db;"
        " for another database run `mlflow server` in front of it": parts.scheme not in _PORTS,
        "the name of the host is missing, as in http://127.0.0.1:5000": not parts.hostname,
        "no user or password here: set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD_FILE": "@" in parts.netloc,
        "no ? and # here; a token comes by MLFLOW_TRACKING_TOKEN_FILE": bool(parts.query + parts.fragment),
    }
    return next((fault for fault, found in faults.items() if found), None)


def _find_sqlite_fault(text: str) -> str | None:
    path = sqlite_path(text)
    if not path.startswith("/"):
        return "a relative path would be another store in every folder: write sqlite:////absolute/path/mlflow.db"
    if posixpath.normpath(path) != path or "?" in text or "#" in text:
        return "write a plain absolute path, as in sqlite:////absolute/path/mlflow.db"
    return None


def sqlite_path(text: str) -> str:
    """Return the file of a `sqlite:///` address.

    >>> sqlite_path("sqlite:////data/my%20runs.db")
    '/data/my runs.db'
    """
    return unquote(text.removeprefix(_SQLITE))
