"""A real mosquitto of a test's own: the configuration and the access list are those of docs/mqtt.md.

Loaded as a pytest plugin by tests/conftest.py, which makes its fixtures known everywhere.
"""

import datetime as dt
import ipaddress
import os
import re
import shutil
import signal
import socket
import subprocess
import weakref
from pathlib import Path

import pytest

from quantum_mlops.config.mqtt_address import parse_mqtt_address
from tests.waiting import wait_for

PAGE = Path(__file__).parents[1] / "docs" / "mqtt.md"
DAEMON = "qml-daemon"
PASSWORDS = {DAEMON: "reads-them-all", "iris": "of-the-iris", "lab-7": "measures-two", "wine": "red"}


def block_of(kind):
    """Return the one code block of a kind in the page."""
    (found,) = re.findall(rf"^```{kind}\n(.*?)^```", PAGE.read_text(), re.DOTALL | re.MULTILINE)
    return found


def make_authority(folder):
    """Write an authority's certificate and a broker's for this machine; return their paths and the key's."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    begin = dt.datetime.now(dt.UTC) - dt.timedelta(days=1)

    def make(name, key, issuer, signer, extensions):
        builder = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)]))
            .issuer_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, issuer)]))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(begin)
            .not_valid_after(begin + dt.timedelta(days=30))
        )
        for extension, critical in extensions:
            builder = builder.add_extension(extension, critical=critical)
        return builder.sign(signer, hashes.SHA256())

    theirs, own = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    usage = x509.KeyUsage(*(name in ("certificate", "crl") for name in ("a", "b", "c", "d", "e", "certificate", "crl", "f", "g")))  # fmt: skip
    key_id = x509.SubjectKeyIdentifier.from_public_key(theirs.public_key())
    authority = make(
        "the lab", theirs, "the lab", theirs, [(x509.BasicConstraints(ca=True, path_length=0), True), (usage, True), (key_id, False)]
    )  # fmt: skip
    names = x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    signed_by = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(key_id)
    broker = make("broker", own, "the lab", theirs, [(names, False), (signed_by, False)])
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "ca.pem").write_bytes(authority.public_bytes(serialization.Encoding.PEM))
    (folder / "broker.pem").write_bytes(broker.public_bytes(serialization.Encoding.PEM))
    (folder / "broker.key").write_bytes(
        own.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return folder / "ca.pem", folder / "broker.pem", folder / "broker.key"


def hold_port(owner):
    """Return a port that is nobody else's as long as `owner` lives, while its broker is away, too."""
    held = socket.socket()
    weakref.finalize(owner, held.close)
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as mosquitto does: so both may be bound to it
    held.bind(("127.0.0.1", 0))
    return held.getsockname()[1]


class Mosquitto:
    """`start`, `kill` and `start` again on the same ports and what it had stored; `url` plain, `tls_url` with TLS."""

    def __init__(self, folder, more=""):
        self.folder = folder
        self.port, self.tls_port = hold_port(self), hold_port(self)
        folder.mkdir(parents=True, exist_ok=True)
        self.ca_file, certificate, key = make_authority(folder / "certs")
        (folder / "state").mkdir()
        (folder / "acl").write_text(block_of("acl"))
        (folder / "acl").chmod(0o600)
        lines = "".join(f"{user}:{password}\n" for user, password in PASSWORDS.items())
        (folder / "passwords").write_text(lines)
        (folder / "passwords").chmod(0o600)
        subprocess.run(["mosquitto_passwd", "-U", folder / "passwords"], check=True, capture_output=True)
        text = block_of("conf")
        for place, own in {
            "listener 8883\n": f"listener {self.port} 127.0.0.1\nlistener {self.tls_port} 127.0.0.1\n",
            "/etc/mosquitto/certs/broker.pem": str(certificate),
            "/etc/mosquitto/certs/broker.key": str(key),
            "/etc/mosquitto/passwords": str(folder / "passwords"),
            "/etc/mosquitto/quantum-mlops.acl": str(folder / "acl"),
            "/var/lib/mosquitto/": f"{folder / 'state'}/",
        }.items():
            assert place in text
            text = text.replace(place, own)
        user = "user root\n" if os.geteuid() == 0 else ""
        (folder / "mosquitto.conf").write_text(f"{text}{user}log_dest file {folder / 'log'}\nlog_type all\n{more}")
        self.process = None

    @property
    def url(self):
        return f"mqtt://127.0.0.1:{self.port}"

    @property
    def tls_url(self):
        return f"mqtts://localhost:{self.tls_port}"

    @property
    def address(self):
        return parse_mqtt_address(self.url)

    def start(self):
        binary = shutil.which("mosquitto") or "/usr/sbin/mosquitto"
        self.process = subprocess.Popen([binary, "-c", str(self.folder / "mosquitto.conf")], stderr=subprocess.DEVNULL)
        wait_for(self._answers, "mosquitto answers")

    def end(self, number=signal.SIGTERM):
        if self.process is not None:
            self.process.send_signal(number)
            self.process.wait(20)
            self.process = None

    def kill(self):
        self.end(signal.SIGKILL)

    def said(self):
        return (self.folder / "log").read_text()

    def environ(self, user="iris"):
        """Return what a program needs to log in."""
        return {"QML_MQTT_USER": user, "QML_MQTT_PASSWORD": PASSWORDS[user]}

    def _answers(self):
        assert self.process.poll() is None, self.said()
        try:
            socket.create_connection(("127.0.0.1", self.tls_port), timeout=1).close()
        except OSError:
            return False
        return True


@pytest.fixture
def mosquitto(tmp_path):
    """Return a broker that runs; it may be killed and started again."""
    broker = Mosquitto(tmp_path / "mosquitto")
    broker.start()
    yield broker
    broker.end()
