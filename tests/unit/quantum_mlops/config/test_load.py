"""Loading the configuration: one file per rule with its exact message; search order; overlay."""

from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec import Struct

from quantum_mlops.config.load import load_config
from quantum_mlops.config.sections import Config, Sections
from quantum_mlops.errors import ConfigError
from quantum_mlops.stats.false_alarms import parse_rate

TESTDATA = Path(__file__).parent / "testdata"
MINIMAL = '[receivers.team]\nlog = {}\n[route]\nreceiver = "team"\n'


class SlackSettings(Struct, kw_only=True):
    url_file: str
    timeout: str = "10s"


class LogSettings(Struct):
    pass


KINDS: dict[str, type[Struct]] = {"slack": SlackSettings, "log": LogSettings}
Load = Callable[..., Config]


def check_rates(sections: Sections) -> list[str]:
    try:
        parse_rate(sections.rules.drift.false_alarms)
    except ValueError as error:
        return [f"rules.drift.false_alarms: {error}"]
    return []


@pytest.fixture
def load(tmp_path: Path) -> Load:
    def load(text: str, **environ: str) -> Config:
        path = tmp_path / "quantum-mlops.toml"
        path.write_text(text)
        return load_config(path, environ, KINDS, [check_rates])

    return load


@pytest.mark.parametrize("path", sorted(TESTDATA.glob("bad_*.toml")), ids=lambda path: path.stem)
def test_a_wrong_file_is_refused_with_exactly_these_lines(path: Path) -> None:
    expected = [
        f"{path}: {line.removeprefix('# expect: ')}".replace("{folder}", str(path.parent))
        for line in path.read_text().splitlines()
        if line.startswith("# expect: ")
    ]
    with pytest.raises(ConfigError) as caught:
        load_config(path, {}, KINDS, [check_rates])
    assert str(caught.value).splitlines() == expected


def test_the_example_of_the_documentation_loads(load: Load, tmp_path: Path) -> None:
    (tmp_path / "slack-url").write_text("https://hooks.slack.com/services/T/B/x\n")
    config = load(
        '[receivers.team]\nslack = { url_file = "slack-url" }\n'
        '[route]\nreceiver = "team"\ngroup_by = ["rule", "backend"]\n'
        '[[rules.threshold]]\nname = "LowAccuracy"\nmetric = "val_accuracy"\nbelow = 0.8\nfor = "10m"\nseverity = "warning"\n'
    )
    assert config.receivers == {"team": {"slack": SlackSettings(url_file=str(tmp_path / "slack-url"))}}
    assert config.route.group_by == ["rule", "backend"]
    assert [(rule.name, rule.for_) for rule in config.rules.threshold] == [("LowAccuracy", "10m")]


def test_without_a_file_the_defaults_send_to_the_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    config = load_config(None, {"XDG_CONFIG_HOME": str(tmp_path), "XDG_STATE_HOME": str(tmp_path / "s")}, KINDS)
    assert config.path is None
    assert config.receivers == {"log": {"log": LogSettings()}}
    assert config.route.receiver == "log"
    assert config.state_dir == tmp_path / "s" / "quantum-mlops"
    assert config.spool_dir == config.state_dir / "spool"


def test_the_search_order_is_argument_variable_working_folder_users_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    places = [tmp_path / "argument.toml", tmp_path / "variable.toml", tmp_path / "quantum-mlops.toml"]
    places.append(tmp_path / "home" / "quantum-mlops" / "quantum-mlops.toml")
    places[-1].parent.mkdir(parents=True)
    for place in places:
        place.write_text(MINIMAL)
    environ = {"QML_CONFIG": str(places[1]), "XDG_CONFIG_HOME": str(tmp_path / "home")}
    found = [load_config(places[0], environ, KINDS).path, load_config(None, environ, KINDS).path]
    del environ["QML_CONFIG"]
    found.append(load_config(None, environ, KINDS).path)
    places[2].unlink()
    found.append(load_config(None, environ, KINDS).path)
    assert found == places


def test_a_file_that_was_named_must_exist(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="^/no/such.toml: --config names no file$"):
        load_config(Path("/no/such.toml"), {}, KINDS)
    with pytest.raises(ConfigError, match="QML_CONFIG names no file$"):
        load_config(None, {"QML_CONFIG": str(tmp_path)}, KINDS)


def test_the_overlay_stands_over_the_file_and_is_read_by_the_keys_type(load: Load, tmp_path: Path) -> None:
    config = load(
        MINIMAL + 'group_wait = "1m"\n',
        QML_ROUTE__GROUP_WAIT="0s",
        QML_ROUTE__GROUP_BY='["backend"]',
        QML_LOG__MAX_BYTES="1000000",
        QML_RULES__DRIFT__ENABLED="False",
        QML_RULES__DRIFT__MINIMUM_EFFECT="0.1",
        QML_STATE__DIR=str(tmp_path / "elsewhere"),
        QML_PROJECT="not a section",
    )
    assert (config.route.group_wait, config.route.group_by) == ("0s", ["backend"])
    assert config.log.max_bytes == 1_000_000
    assert (config.rules.drift.enabled, config.rules.drift.minimum_effect) == (False, 0.1)
    assert config.state_dir == tmp_path / "elsewhere"


def test_the_defaults_can_be_overlaid_without_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    rules = '[{ name = "Low", metric = "accuracy", below = 0.5 }]'
    environ = {"XDG_CONFIG_HOME": str(tmp_path), "QML_ROUTE__GROUP_WAIT": "0s", "QML_RULES__THRESHOLD": rules}
    config = load_config(None, environ, KINDS)
    assert (config.route.receiver, config.route.group_wait) == ("log", "0s")
    assert [rule.below for rule in config.rules.threshold] == [0.5]


def test_a_receiver_can_be_set_whole_by_the_overlay(load: Load, tmp_path: Path) -> None:
    (tmp_path / "url").write_text("https://x/y")
    config = load(MINIMAL.replace("log = {}", "slack = {}"), QML_RECEIVERS__TEAM__SLACK__URL_FILE=str(tmp_path / "url"))
    assert config.receivers["team"]["slack"] == SlackSettings(url_file=str(tmp_path / "url"))


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("QML_RUTE__RECEIVER", "x", "environment variable QML_RUTE__RECEIVER: unknown key rute; did you mean route?"),
        ("QML_LOG__MAX_BYTES", "many", "environment variable QML_LOG__MAX_BYTES: expected a whole number, not 'many'"),
        ("QML_RULES__DRIFT__ENABLED", "maybe", "environment variable QML_RULES__DRIFT__ENABLED: expected true or false, not 'maybe'"),
        ("QML_ROUTE__GROUP_BY", "rule", 'environment variable QML_ROUTE__GROUP_BY: is a list or a table; write it as TOML, such as ["rule", "backend"]'),
        ("QML_RULES__THRESHOLD__0__BELOW", "1", "environment variable QML_RULES__THRESHOLD__0__BELOW: rules.threshold is no table; set it whole"),
        ("QML_RECEIVERS__TEAM__SLACK__URL", "https://secret", "environment variable QML_RECEIVERS__TEAM__SLACK__URL: a secret does not belong here; write it to a file and name that with URL_FILE"),
    ],
)  # fmt: skip
def test_a_wrong_variable_is_named(load: Load, name: str, value: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(MINIMAL, **{name: value})
    lines = [line.partition(".toml: ")[2] for line in str(caught.value).splitlines()]
    assert message in lines
    assert "https://secret" not in str(caught.value)


def test_every_mistake_of_a_file_is_named_at_once(load: Load) -> None:
    with pytest.raises(ConfigError) as caught:
        load(
            MINIMAL + 'group_wait = "x"\nfoo = 1\n[log]\nkind = "files"\n[[rules.threshold]]\nname = "A"\nmetric = 3\n'
        )
    assert len(str(caught.value).splitlines()) == 4


def test_no_message_holds_what_a_secret_key_was_set_to(load: Load) -> None:
    with pytest.raises(ConfigError) as caught:
        load(MINIMAL.replace("log = {}", 'slack = { url = "https://hooks.slack.com/services/T0/B0/secret" }'))
    assert 'secret"' not in str(caught.value)
    assert "hooks.slack.com" not in str(caught.value)


def test_environment_folders_stand_over_the_file(load: Load) -> None:
    config = load(MINIMAL + '[state]\ndir = "here"\n', QML_STATE_DIR="/var/a", QML_SPOOL_DIR="/var/b")
    assert (config.state_dir, config.spool_dir) == (Path("/var/a"), Path("/var/b"))


def test_folders_of_the_file_are_relative_to_it(load: Load, tmp_path: Path) -> None:
    config = load(MINIMAL + '[state]\ndir = "a/../here"\n[spool]\ndir = "/x"\n')
    assert (config.state_dir, config.spool_dir) == (tmp_path / "here", Path("/x"))


def test_every_kind_of_threshold_loads(load: Load) -> None:
    config = load(
        MINIMAL + '[[rules.threshold]]\nname = "A"\nmetric = "acc"\nabsent = "10m"\n'
        '[[rules.threshold]]\nname = "B"\nkind = "cost"\ncurrency = "EUR"\nabove = 5\nper = "job"\n'
        '[[rules.threshold]]\nname = "C"\nkind = "count"\nevent = "run.ended"\nstatus = "failed"\nabove = 3\n'
        'per = "project"\nwindow = "1d"\n'
        '[[rules.threshold]]\nname = "D"\nkind = "rate"\nevent = "metric.logged"\nbelow = 0.5\nwindow = "10m"\n'
    )
    assert [rule.kind for rule in config.rules.threshold] == ["metric", "cost", "count", "rate"]
