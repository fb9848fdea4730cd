"""The section [follower]: defaults, mistakes named with their mend."""

import pytest

from qml_daemon.configuration import read_config
from qml_daemon.following.doors import find_doors, find_offered, find_served, known_providers, open_door
from qml_daemon.following.process import build_process
from qml_producers.observing.door import Asked
from quantum_mlops.errors import ConfigError

ENVIRON = {"HOME": "/nonexistent"}


def read(folder, text):
    file = folder / "quantum-mlops.toml"
    file.write_text(text)
    return read_config(file, ENVIRON)


def test_nothing_is_followed_unless_asked_for(tmp_path):
    config = read(tmp_path, "")
    assert not config.follower.enabled
    assert build_process(config) is None


def test_the_daemon_runs_a_process_of_its_own_with_its_configuration(tmp_path):
    config = read(tmp_path, '[follower]\nenabled = true\nproviders = ["ibm", "ionq"]\ninterval = "2s"\n')
    process = build_process(config)
    assert process is not None
    assert process._command[1:] == ["-P", "-m", "qml_daemon.following", "--attached", "--config", str(config.path)]
    assert process.stats().name == "follower"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('interval = "500ms"', "follower.interval: must be at least 1s"),
        ('timeout = "0s"', "follower.timeout: must be at least 1s"),
        ('interval = "often"', "follower.interval: "),
        ("calls_per_minute = 0", "follower.calls_per_minute: "),
        ("max_jobs = 100000", "follower.max_jobs: "),
        ("providers = []", "follower.providers: names nobody; leave it out to follow all"),
        ('providers = ["ibn"]', "follower.providers[0]: no provider is called 'ibn'; did you mean ibm?"),
        ("token = 'x'", "follower.token: unknown key"),
        ("enabled = true\n[log]\nkind = 'memory'", "follower.enabled: the follower reads the log's file"),
    ],
)
def test_a_mistake_is_named_with_its_mend(tmp_path, text, message):
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, f"[follower]\n{text}\n")
    assert message in str(caught.value)


def test_every_provider_of_ours_has_a_door_and_says_what_it_lacks():
    assert known_providers() == ["braket", "ibm", "ionq"]
    assert set(find_doors(["ionq"], {}, 1.0)) == {"ionq"}
    with pytest.raises(ConfigError, match="IONQ_API_KEY"):
        find_doors(["ionq"], {}, 1.0)["ionq"]()


def test_simulators_of_an_sdk_are_told_from_its_service():
    serves = find_served(known_providers())
    assert serves("braket", Asked(job_id="arn:aws:braket:us-east-1:1:quantum-task/7"))
    assert not serves("braket", Asked(job_id="0b9d2f0e-4b7c-4d57-b0ce-7a9d5a6ad0d1"))
    assert serves("ionq", Asked(job_id="anything"))


def test_a_simulator_on_the_users_machine_is_no_device_of_a_service():
    offers = find_offered(known_providers())
    assert offers("braket", "arn:aws:braket:eu-north-1::device/qpu/iqm/Garnet")
    assert not offers("braket", "braket_sv")
    assert offers("ionq", "qpu.forte-1")


def test_a_door_that_cannot_be_loaded_is_a_mistake_of_the_installation():
    from importlib.metadata import EntryPoint

    with pytest.raises(ConfigError, match="cannot be loaded"):
        open_door(EntryPoint("x", "qml_producers.nowhere:Door", "g"), {}, 1.0)
