"""Where the service listens: `host:port`, or `off`; anything but loopback needs tokens."""

import ipaddress
from collections.abc import Iterator
from urllib.parse import urlsplit

from msgspec import Struct

from quantum_mlops.config.sections import Sections

OFF = "off"
MAX_PORT = 65_535


class Address(Struct, frozen=True):
    """A host as `socket` takes it, and a port; port 0 is any free one."""

    host: str
    port: int

    @property
    def url(self) -> str:
        """The address as a URL.

        >>> Address("::1", 8765).url
        'http://[::1]:8765'
        """
        return f"http://{f'[{self.host}]' if ':' in self.host else self.host}:{self.port}"


def parse_listen(text: str) -> Address | None:
    """Return the address, None for `off`.

    Raises:
        ValueError: the text is neither `off` nor `host:port`.

    >>> parse_listen("127.0.0.1:8765"), parse_listen("[::1]:0"), parse_listen("off")
    (Address(host='127.0.0.1', port=8765), Address(host='::1', port=0), None)

    """
    if text == OFF:
        return None
    host, colon, port = text.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        host = ""
    if not (colon and host and host.isprintable() and " " not in host and port.isascii() and port.isdigit()):
        raise ValueError(f'{text[:80]!r} is no address; write it like "127.0.0.1:8765", "[::1]:8765" or "{OFF}"')
    if int(port) > MAX_PORT:
        raise ValueError(f"{text[:80]!r}: a port is at most {MAX_PORT}")
    return Address(host, int(port))


def is_loopback(host: str) -> bool:
    """Return whether only this machine reaches `host`; a name that is not `localhost` is not taken for it.

    >>> is_loopback("127.0.0.7"), is_loopback("localhost"), is_loopback("0.0.0.0")
    (True, True, False)
    """
    if host.lower() in {"localhost", "localhost."}:
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def check_http(sections: Sections) -> Iterator[str]:
    """Yield one line for each mistake in `[http]` that its types cannot say."""
    section = sections.http
    try:
        address = parse_listen(section.listen)
    except ValueError as error:
        yield f"http.listen: {error}"
        return
    if address is not None and section.tokens_file is None and not is_loopback(address.host):
        yield (
            f"http.tokens_file: {section.listen} can be reached from other machines, so tokens are needed; "
            'set it and make one (quantum-mlops token add), or listen = "127.0.0.1:8765"'
        )
    if section.external_url is not None:
        yield from _check_external(section.external_url)


def _check_external(text: str) -> Iterator[str]:
    try:
        url = urlsplit(text)
        port_is_good = url.port is None or url.port > 0
    except ValueError:
        url, port_is_good = urlsplit(""), False
    if url.scheme not in {"http", "https"} or not url.hostname or not port_is_good:
        yield 'http.external_url: no address that a browser could open; write it like "https://monitor.example.org"'
    elif url.username is not None or url.password is not None or url.query or url.fragment:
        yield "http.external_url: only scheme, host, port and path belong there"
