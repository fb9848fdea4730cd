"""What the types of `[kafka]` cannot say: addresses, names, and which settings of access belong together."""

import ipaddress
import re
from collections.abc import Iterator

from quantum_mlops.clock import SECOND
from quantum_mlops.config.duration import parse_duration
from quantum_mlops.config.sections import KafkaSection, Sections

MAX_PORT = 65_535
_PREFIX = re.compile(r"[A-Za-z0-9._-]{0,200}", re.ASCII)  # a topic's name has at most 249 characters
_GROUP = re.compile(r"[A-Za-z0-9._-]{1,200}", re.ASCII)
_HOST = re.compile(r"[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]", re.ASCII)
_SESSION = (1, 1800)


def check_kafka(sections: Sections) -> Iterator[str]:
    """Yield one line a mistake, with the path of its key."""
    kafka = sections.kafka
    if kafka is None:
        if sections.log.kind == "kafka":
            yield 'kafka: log.kind is "kafka" and no broker is named; add [kafka] bootstrap_servers = ["host:9092"]'
        return
    if not kafka.bootstrap_servers:
        yield 'kafka.bootstrap_servers: name at least one broker, as in ["host:9092"]'
    for index, server in enumerate(kafka.bootstrap_servers):
        if find_server_fault(server):
            yield f'kafka.bootstrap_servers[{index}]: {server[:80]!r} is no address; write it like "host:9092"'
    if not _PREFIX.fullmatch(kafka.topic_prefix):
        yield "kafka.topic_prefix: use letters, digits, ., _ and -, at most 200"
    if not _GROUP.fullmatch(kafka.group):
        yield "kafka.group: use letters, digits, ., _ and -, 1 to 200"
    if not _SESSION[0] <= parse_duration(kafka.session_timeout) // SECOND <= _SESSION[1]:
        yield "kafka.session_timeout: must be from 1s to 30m; a broker's own bounds are from 6s to 30m by default"
    yield from _check_tls(kafka)
    yield from _check_sasl(kafka)


def find_server_fault(server: str) -> bool:
    """Return whether `server` is not `host:port`.

    >>> find_server_fault("kafka-1.example.org:9092"), find_server_fault("[::1]:9092"), find_server_fault("kafka")
    (False, False, True)
    """
    host, _, port = server.rpartition(":")
    return not (_HOST.fullmatch(host) and port.isascii() and port.isdigit() and 0 < int(port) <= MAX_PORT)


def _check_tls(kafka: KafkaSection) -> Iterator[str]:
    if kafka.ssl_keyfile and not kafka.ssl_certfile:
        yield "kafka.ssl_keyfile: the key needs its certificate: set kafka.ssl_certfile too"
    if kafka.security_protocol in {"SSL", "SASL_SSL"}:
        return
    for name in ("ssl_cafile", "ssl_certfile", "ssl_keyfile"):
        if getattr(kafka, name):
            yield f'kafka.{name}: is not used without TLS; set kafka.security_protocol = "SSL" or "SASL_SSL"'


def _check_sasl(kafka: KafkaSection) -> Iterator[str]:
    given = [
        name
        for name in ("sasl_mechanism", "sasl_username", "sasl_password_file", "oauth_token_file")
        if getattr(kafka, name)
    ]
    if kafka.security_protocol in {"PLAINTEXT", "SSL"}:
        for name in given:
            yield f'kafka.{name}: is not used without SASL; set kafka.security_protocol = "SASL_SSL"'
        return
    if kafka.sasl_mechanism is None:
        yield "kafka.sasl_mechanism: needed with SASL; one of PLAIN, SCRAM-SHA-256, SCRAM-SHA-512, OAUTHBEARER"
        return
    needed = {"oauth_token_file"} if kafka.sasl_mechanism == "OAUTHBEARER" else {"sasl_username", "sasl_password_file"}
    for name in sorted(needed - set(given)):
        yield f"kafka.{name}: needed with {kafka.sasl_mechanism}"
    for name in given:
        if name != "sasl_mechanism" and name not in needed:
            yield f"kafka.{name}: is not used with {kafka.sasl_mechanism}"
    if kafka.security_protocol == "SASL_PLAINTEXT" and kafka.sasl_mechanism in {"PLAIN", "OAUTHBEARER"}:
        far = [server for server in kafka.bootstrap_servers if not _is_loopback(server)]
        if far:
            yield f'kafka.security_protocol: the secret would travel in clear to {far[0][:80]}; use "SASL_SSL"'


def _is_loopback(server: str) -> bool:
    host = server.rpartition(":")[0].strip("[]")
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
