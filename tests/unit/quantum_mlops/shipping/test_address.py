import pytest

from quantum_mlops.errors import ConfigError
from quantum_mlops.shipping.address import Address, Credential, outgoing_folder, parse_address


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("http://localhost", "http://localhost:8765"),
        ("https://m.example", "https://m.example:443"),
        ("https://m.example:8443/qml/", "https://m.example:8443/qml"),
        ("http://[::1]:8765", "http://[::1]:8765"),
    ],
)
def test_an_address_is_scheme_host_port_and_prefix(text, shown):
    assert str(parse_address(text)) == shown
    assert parse_address(shown) == parse_address(text)
    assert parse_address(text).path.endswith("/api/v1/events")


@pytest.mark.parametrize(
    "text",
    [
        "ftp://h",
        "http://",
        "http:///x",
        "https://h/a b",
        "https://h\r\nX: y",
        "https://h/?q=1",
        "http://a b",
        "https://[::1",
    ],
)
def test_what_is_no_address_is_refused(text):
    with pytest.raises(ConfigError, match="target"):
        parse_address(text)


def test_a_secret_in_an_address_is_refused_and_not_repeated():
    with pytest.raises(ConfigError) as caught:
        parse_address("https://me:hunter2@h")
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("host", "near"), [("localhost", True), ("127.0.0.9", True), ("::1", True), ("h", False), ("10.0.0.1", False)]
)
def test_loopback_is_known_by_its_name(host, near):
    assert Address("http", host, 1).is_loopback is near


def test_the_token_comes_from_the_environment_or_is_read_anew_from_its_file(tmp_path):
    file = tmp_path / "token"
    assert Credential({}).read() is None
    assert not Credential({}).is_set
    assert Credential({"QML_TOKEN": " t1 "}).read() == "t1"
    credential = Credential({"QML_TOKEN_FILE": str(file)})
    assert credential.is_set
    for token in ("one", "two"):
        file.write_text(token + "\n")
        assert credential.read() == token


@pytest.mark.parametrize("content", [b"", b"\xff", b"two words"])
def test_a_token_that_cannot_be_sent_is_refused_without_being_shown(tmp_path, content):
    (tmp_path / "token").write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        Credential({"QML_TOKEN_FILE": str(tmp_path / "token")}).read()
    assert "two words" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_missing_token_file_is_named(tmp_path):
    with pytest.raises(ConfigError, match="QML_TOKEN_FILE .*/none: No such file or directory"):
        Credential({"QML_TOKEN_FILE": str(tmp_path / "none")}).read()


def test_a_line_break_in_a_token_makes_no_header():
    with pytest.raises(ConfigError):
        Credential({"QML_TOKEN": "a\r\nX-Other: b"}).read()


def test_the_secret_is_in_no_repr():
    assert "hunter2" not in repr(Credential({"QML_TOKEN": "hunter2"}))


def test_folders_differ_by_service_and_project_and_begin_with_a_point(tmp_path):
    address = Address("https", "m.example", 443)
    one = outgoing_folder(tmp_path, address, "iris")
    assert one == outgoing_folder(tmp_path, address, "iris")
    assert one.name.startswith(".")
    assert one.parent == tmp_path
    assert (
        len(
            {
                one,
                outgoing_folder(tmp_path, address, "vqe"),
                outgoing_folder(tmp_path, Address("http", "m.example", 443), "iris"),
            }
        )
        == 3
    )
