import socket
import ssl
import subprocess
import threading

import pytest

from quantum_mlops.errors import PermanentError, RetryableError
from quantum_mlops.shipping.address import Address, Credential, parse_address
from quantum_mlops.shipping.client import Client
from tests.service import CUT_AFTER, CUT_BEFORE

EVENT = b'{"specversion":"1.0","id":"%d","source":"s","type":"com.example.x","data":{}}'


@pytest.fixture
def client(service):
    client = Client(parse_address(service.url), Credential({}))
    yield client
    client.close()


def test_one_connection_serves_many_posts(client, service, monkeypatch):
    opened = []
    connect = socket.socket.connect
    monkeypatch.setattr(
        socket.socket, "connect", lambda self, address: opened.append(address) or connect(self, address)
    )
    for number in range(5):
        assert client.post([EVENT % number]) == []
    assert len(service.events) == 5
    mine = [address for address in opened if service.url.endswith(f":{address[1]}")]
    assert len(mine) == 1  # a thread of an earlier test may open others


def test_a_connection_that_was_closed_while_idle_is_opened_again_without_a_failure(client, service):
    client.post([EVENT % 1])
    service.plan.append(CUT_BEFORE)
    assert client.post([EVENT % 2]) == []
    assert len(service.events) == 2


def test_a_new_connection_that_breaks_is_a_failure(client, service):
    service.plan.append(CUT_AFTER)
    with pytest.raises(RetryableError, match="cannot be reached: RemoteDisconnected|broke off|reset"):
        client.post([EVENT % 1])


def test_an_absent_service_is_retryable(client, service):
    service.stop()
    with pytest.raises(RetryableError, match="cannot be reached: Connection refused"):
        client.post([EVENT % 1])


def test_an_unknown_name_is_retryable():
    with pytest.raises(RetryableError, match="cannot be reached"):
        Client(Address("http", "no-such-host.invalid", 1), Credential({})).post([EVENT % 1])


def test_a_server_that_says_nonsense_is_retryable_and_its_words_are_not_repeated():
    listener = socket.create_server(("127.0.0.1", 0))

    def babble():
        connection, _ = listener.accept()
        connection.recv(65536)
        connection.sendall(b"SECRET nonsense\r\n\r\n")
        connection.close()

    thread = threading.Thread(target=babble)
    thread.start()
    client = Client(Address("http", "127.0.0.1", listener.getsockname()[1]), Credential({}))
    with pytest.raises(RetryableError) as caught:
        client.post([EVENT % 1])
    thread.join()
    listener.close()
    assert "SECRET" not in str(caught.value)


def test_a_token_that_cannot_be_read_is_permanent_and_nothing_is_sent(service):
    client = Client(parse_address(service.url), Credential({"QML_TOKEN_FILE": "/no/such/file"}))
    with pytest.raises(PermanentError, match="QML_TOKEN_FILE /no/such/file"):
        client.post([EVENT % 1])
    assert service.requests == []


@pytest.fixture
def certificate(tmp_path):
    """A self-signed certificate for localhost."""
    key, path = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", path, "-days", "2", "-subj", "/CN=localhost",
         "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"],
        check=True, capture_output=True, timeout=60,
    )  # fmt: skip
    return path, key


def secure(service, certificate):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    service._server.socket = context.wrap_socket(service._server.socket, server_side=True)
    return Address("https", "localhost", service.port)


def test_a_certificate_that_does_not_verify_ends_it(service, certificate):
    client = Client(secure(service, certificate), Credential({"QML_TOKEN": "secret"}))
    with pytest.raises(PermanentError, match="its certificate does not verify"):
        client.post([EVENT % 1])
    assert service.requests == []


def test_a_certificate_that_verifies_lets_events_through(service, certificate, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
    client = Client(secure(service, certificate), Credential({}))
    assert client.post([EVENT % 1]) == []
    client.close()
    assert len(service.events) == 1
