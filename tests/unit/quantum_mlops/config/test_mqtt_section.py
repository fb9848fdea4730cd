"""`[mqtt]`: what is refused, each with its mend; its file's paths."""

import msgspec
import pytest

from quantum_mlops.config.load import load_config
from quantum_mlops.config.mqtt_address import project_of, topic_of
from quantum_mlops.errors import ConfigError

KINDS = {"log": msgspec.defstruct("Log", [])}


def load(folder, text, environ=None):
    path = folder / "quantum-mlops.toml"
    path.write_text(text)
    return load_config(path, environ or {}, KINDS).mqtt


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "mqtt: url is missing"),
        ('url = "http://h"', "mqtt.url: 'http://h' is no address of MQTT; it looks like mqtt://host:1883"),
        ('url = "mqtt://h:x"', "mqtt.url: Port could not be cast"),
        ('url = "mqtt://h:0"', "mqtt.url: 'mqtt://h:0' is no address"),
        ('url = "mqtt://h/topic"', "mqtt.url: an address of MQTT has a host and a port and nothing after them"),
        ('url = "mqtt://u:hunter2@h"', "mqtt.url: a secret does not belong into an address; set mqtt.user and mqtt.password_file"),
        ('url = "mqtt://h"\npassword = "hunter2"', "mqtt.password: a secret does not belong in this file"),
        ('url = "mqtt://h"\npassword_file = "nowhere"', "mqtt.user: a password needs its user"),
        ('url = "mqtt://h"\nuser = "u"\npassword_file = "nowhere"', "mqtt.password_file: cannot read"),
        ('url = "mqtt://h"\nca_file = "ca.pem"', 'mqtt.ca_file: is not used without TLS; set mqtt.url = "mqtts://h:8883"'),
        ('url = "mqtt://h"\ntopics = []', "mqtt.topics: name at least one"),
        ('url = "mqtt://h"\ntopics = ["qml/v1/+/events", "#"]', "mqtt.topics[1]: '#' is none of events"),
        ('url = "mqtt://h"\nclient_id = "a b"', "mqtt.client_id: use letters"),
        ('url = "mqtt://h"\nsession_expiry = "5s"', "mqtt.session_expiry: must be at least 1m"),
        ('url = "mqtt://h"\nreceive_maximum = 0', "mqtt.receive_maximum: "),
        ('url = "mqtt://h"\ntopic = "x"', "mqtt.topic: unknown key; did you mean topics?"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_with_the_mend(tmp_path, text, said):
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, f"[mqtt]\n{text}\n")
    assert said in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_the_environment_stands_over_the_file(tmp_path):
    found = load(tmp_path, '[mqtt]\nurl = "mqtt://h"\n', {"QML_MQTT__URL": "mqtts://other", "QML_MQTT__TOPICS": '["qml/v1/a/events"]'})  # fmt: skip
    assert (found.url, found.topics) == ("mqtts://other", ["qml/v1/a/events"])


@pytest.mark.parametrize("project", ["iris", "a/b", "+", "#", "50%", "naïve", "tab\there", "x" * 512, "%2F", "nul\0"])
def test_a_project_has_one_topic_and_the_topic_that_project(project):
    topic = topic_of(project)
    assert topic.count("/") == 3
    assert not set("+#\0") & set(topic)
    assert project_of(topic) == project


@pytest.mark.parametrize(
    "topic",
    ["qml/v1//events", "qml/v1/a/b/events", "qml/v1/%61/events", "qml/v1/a%2fb/events", "qml/v1/%FF/events", "qml/v2/a/events", "qml/v1/50%/events", ""],
)  # fmt: skip
def test_other_topics_are_nobodys(topic):
    assert project_of(topic) is None
