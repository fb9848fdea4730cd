"""The command line in process: exit codes, one-line errors, plain and JSON output."""

import errno
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec import structs

from qml_daemon.advice import advise
from qml_daemon.alert import Alert
from qml_daemon.configuration import read_config
from qml_daemon.delivery.store import OutboxStore
from quantum_mlops.clock import DAY, SECOND, ManualClock
from quantum_mlops.config.sections import Route
from quantum_mlops.events import Event, Evidence, FindingChanged, MetricLogged, SummaryMade, type_name
from quantum_mlops.transports.base import Commit, DeadLetter
from quantum_mlops.transports.sqlite import SqliteLog

TESTDATA = Path(__file__).parents[2] / "quantum_mlops" / "config" / "testdata"
NOW = 1_795_176_000 * SECOND
COMMANDS = [
    [], ["daemon"], ["demo"], ["tail"], ["alerts"], ["alerts", "show"], ["replay"], ["doctor"],
    ["config", "check"], ["receivers", "test"], ["version"], ["ship"], ["emit"],
    ["dead-letters", "list"], ["dead-letters", "show"], ["dead-letters", "retry"], ["kafka", "init"], ["kafka", "status"],
    ["kafka", "lag"], ["kafka", "import"], ["kafka", "export"], ["prices", "list"], ["prices", "estimate"],
    ["prices", "check"], ["calibrations", "import"], ["calibrations", "poll"], ["calibrations", "list"],
]  # fmt: skip

Run = Callable[..., tuple[int, str, str]]


def finding(change: str, number: int, time: int, finding_id: str = "3f2a" + "0" * 28) -> Event:
    data = FindingChanged(
        finding_id=finding_id,
        transition=number,
        rule="CircuitDrift",
        series="iris/drift/x",
        severity="critical",
        labels={"backend": "ibm_hanoi", "qubits": "0-1-2-3"},
        annotations={"summary": "moved\x1b[2J"},
        values={"hellinger": 0.087, "hellinger_low": 0.079, "hellinger_high": 0.095},
        details={"changed_calibrations": [{"name": "cx_error", "qubits": "2-3", "before": "1", "after": "2"}]},
        evidence=Evidence(events=[("qml://h/n/0", "1")], config_hash="ab", processor="drift", processor_version=1),
        reason="recovered" if change == "closed" else None,
    )
    return Event(
        id=f"{finding_id}-{number}",
        source="qml://derived/drift",
        type=type_name(f"finding.{change}"),
        time=time,
        partitionkey="iris",
        project="iris",
        data=data,
    )


@pytest.fixture
def log(tmp_path: Path) -> None:
    log = SqliteLog(tmp_path / "state" / "store.sqlite", clock=ManualClock(NOW))
    metric = MetricLogged(values={"loss": 0.5})
    log.append(
        [Event(id=f"{n}", source="s", type=type_name("metric.logged"), time=NOW, partitionkey="iris", data=metric) for n in range(20)],
        dead_letters=[
            DeadLetter(data=b"x", reason="no event", origin="spool"),
            DeadLetter(data=b"\x1b[2J" + b"y" * 500, reason="too many", origin="processor:drift", key=("qml://h/n\a", "7")),
        ],
    )  # fmt: skip
    found = [finding("opened", 0, NOW), finding("closed", 1, NOW + 90 * SECOND), finding("opened", 0, NOW, "77" * 16)]
    log.commit(0, Commit(findings=found, watermark=b""))
    log.close()


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_help_has_an_example_and_exits_with_0(run: Run, command: list[str]) -> None:
    code, stdout, stderr = run(*command, "--help")
    assert (code, stderr) == (0, "")
    assert "Example" in stdout
    assert f"quantum-mlops {' '.join(command)}".strip() in stdout


@pytest.mark.parametrize("path", sorted(TESTDATA.glob("bad_*.toml")), ids=lambda path: path.stem)
def test_a_wrong_configuration_is_its_exact_lines_and_exit_code_2(run: Run, path: Path) -> None:
    code, stdout, stderr = run("config", "check", "--config", str(path))
    expected = [
        f"quantum-mlops: {path}: {line.removeprefix('# expect: ')}".replace("{folder}", str(path.parent))
        # The core's own test knows two kinds of receivers; installed are three.
        .replace("known are log, slack", "known are alertmanager, log, slack")
        for line in path.read_text().splitlines()
        if line.startswith("# expect: ")
    ]
    assert (code, stdout, stderr.splitlines()) == (2, "", expected)


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["daemon", "--foo"], "No such option: --foo (see: quantum-mlops daemon --help)"),
        (["nonsense"], "No such command 'nonsense'. (see: quantum-mlops --help)"),
        (["tail", "-n", "x"], None),
        (["demo", "--qubits", "1-1-2-3"], "expected four physical qubits such as 0-1-2-3, not '1-1-2-3'"),
        (["daemon", "--config", "/no/such.toml"], "/no/such.toml: --config names no file"),
        (["replay", "--since", "yesterday"], "--since: 'yesterday' is not a duration; write it like 30s, 5m, 1h30m or 7d, or a time like 2026-11-20T12:00:00Z"),
        (["receivers", "test", "lgo"], "no receiver is called 'lgo'; did you mean log?"),
        (["demo", "--change-at", "soon"], "--change-at: 'soon' is neither a step nor never"),
        (["demo", "--before", "1999-01-01"], None),
    ],
)  # fmt: skip
def test_a_users_mistake_is_one_line_on_stderr_and_exit_code_2(
    run: Run, arguments: list[str], line: str | None
) -> None:
    code, stdout, stderr = run(*arguments)
    assert (code, stdout) == (2, "")
    assert len(stderr.splitlines()) == 1
    assert line is None or stderr == f"quantum-mlops: {line}\n"


def test_without_a_log_the_readers_say_what_to_start(run: Run, tmp_path: Path) -> None:
    for command in (["alerts"], ["tail"], ["replay"], ["alerts", "show", "3f"]):
        code, _, stderr = run(*command)
        assert code == 2
        assert stderr == (
            f"quantum-mlops: {tmp_path}/state/store.sqlite: no log there yet; "
            "start `quantum-mlops daemon`, or name its --config\n"
        )


def test_where_programs_send_to_a_service_the_readers_say_so_and_no_secret(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QML_TARGET", "http://me:verysecret@monitor.example:8765")
    code, _, stderr = run("alerts")
    assert code == 2
    assert "the service at monitor.example (QML_TARGET)" in stderr
    assert "verysecret" not in stderr


@pytest.fixture
def locked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of another user: nothing in it can be looked at, also where the tests run as root."""
    folder, real = tmp_path / "locked", Path.stat

    def refuse(self: Path, *, follow_symlinks: bool = True) -> os.stat_result:
        if folder in self.parents:
            raise PermissionError(errno.EACCES, "Permission denied", str(self))
        return real(self, follow_symlinks=follow_symlinks)

    monkeypatch.setattr(Path, "stat", refuse)
    return folder


def test_a_configuration_that_cannot_be_looked_at_is_one_line(
    run: Run, locked: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = (2, "", f"quantum-mlops: {locked}/c.toml: cannot be read: Permission denied\n")
    assert run("config", "check", "--config", f"{locked}/c.toml") == refused
    monkeypatch.setenv("QML_CONFIG", f"{locked}/c.toml")
    assert run("config", "check") == refused


def test_a_state_folder_that_cannot_be_looked_at_is_one_line(
    run: Run, locked: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QML_STATE_DIR", str(locked))
    line = f"{locked}/store.sqlite: cannot be read: Permission denied"
    for command in (["alerts"], ["tail"], ["replay"]):
        assert run(*command) == (2, "", f"quantum-mlops: {line}\n")
    code, stdout, _ = run("doctor")
    assert (code, f"fail log           {line}\n" in stdout) == (1, True)
    assert "note daemon        no status of one can be read here; start it: quantum-mlops daemon\n" in stdout


def test_doctor_fails_in_words_on_a_folder_that_no_disk_takes(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = f"/{'x' * 300}"  # a name too long, which root is refused, too
    monkeypatch.setenv("QML_STATE_DIR", folder)
    code, stdout, stderr = run("doctor")
    assert (code, stderr) == (1, "")
    assert f"fail log           {folder}/store.sqlite: cannot be read: File name too long\n" in stdout
    assert f"fail spool         {folder}/spool: cannot be read: File name too long\n" in stdout


def test_what_the_system_refuses_elsewhere_is_one_line_and_exit_code_1(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: object, environ: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system", "/data/x")

    monkeypatch.setattr("qml_daemon.configuration.read_config", refuse)
    assert run("alerts") == (1, "", "quantum-mlops: /data/x: Read-only file system\n")


def test_version_is_plain_and_json(run: Run) -> None:
    assert run("version")[1].startswith("quantum-mlops 0.1.0  python 3.")
    assert set(json.loads(run("version", "--json")[1])) == {"quantum-mlops", "python", "sqlite"}


@pytest.mark.usefixtures("log")
def test_alerts_lists_what_fires_and_what_was_with_numbers(run: Run) -> None:
    code, stdout, _ = run("alerts")
    assert code == 0
    assert stdout == (
        "FIRING critical CircuitDrift backend=ibm_hanoi project=iris qubits=0-1-2-3\n"
        "  moved?[2J\n"
        "  since 2026-11-20 12:00:00 UTC\n"
        "  Hellinger 0.087 (0.079 to 0.095)\n"
        f"  id {'77' * 16}\n"
        "\n"
        "RESOLVED critical CircuitDrift backend=ibm_hanoi project=iris qubits=0-1-2-3\n"
        "  moved?[2J\n"
        "  from 2026-11-20 12:00:00 UTC to 2026-11-20 12:01:30 UTC (90.0 s) · closed: recovered\n"
        "  Hellinger 0.087 (0.079 to 0.095)\n"
        f"  id 3f2a{'0' * 28}\n"
        "\n"
        "1 firing, 1 resolved, 0 notices\n"
    )


@pytest.mark.usefixtures("log")
def test_alerts_show_gives_the_evidence(run: Run) -> None:
    code, stdout, _ = run("alerts", "show", "3f")
    assert code == 0
    assert "Changed calibrations:\n  cx_error 2-3: 1 → 2\n" in stdout
    assert "events (1):\n  qml://h/n/0 1\n" in stdout
    assert json.loads(run("alerts", "show", "3f", "--json")[1])["alert"]["evidence"]["config_hash"] == "ab"
    assert (
        run("alerts", "show", "zz")[2] == "quantum-mlops: no alert's id starts with 'zz'; see: quantum-mlops alerts\n"
    )
    told = "quantum-mlops: an alert's id has at least one digit; see: quantum-mlops alerts\n"
    assert run("alerts", "show", "")[2] == told
    assert run("alerts", "show", "3f")[1].endswith("deliveries: none\n")
    assert json.loads(run("alerts", "show", "3f", "--json")[1])["link"] is None
    assert json.loads(run("alerts", "--json", "show", "3f")[1])["alert"]["finding_id"].startswith("3f")


@pytest.mark.usefixtures("log")
def test_alerts_show_links_to_the_page_on_the_rule_where_it_is_known_how_people_reach_it(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QML_HTTP__EXTERNAL_URL", "https://monitor.example.org/qml/")
    link = "https://monitor.example.org/qml/docs/alerts/CircuitDrift"
    assert f"\nwhat it means, what to check: {link}\n" in run("alerts", "show", "3f")[1]
    assert json.loads(run("alerts", "show", "3f", "--json")[1])["link"] == link


@pytest.mark.usefixtures("log")
def test_a_rule_that_found_nothing_is_named_by_the_trial_beside_those_that_did(run: Run) -> None:
    code, _, stderr = run("rules", "test", "--rule", "CircutDrift", "--since", "2026-01-01T00:00:00Z")
    assert code == 0
    assert "nothing was found by a rule called 'CircutDrift', then or now; found was: CircuitDrift" in stderr
    assert "called" not in run("rules", "test", "--rule", "CircuitDrift", "--since", "2026-01-01T00:00:00Z")[2]


@pytest.mark.parametrize("group", [(), ("config",), ("receivers",), ("prices",), ("calibrations",)])
def test_a_group_without_a_command_prints_its_help_as_it_is(run: Run, group: tuple[str, ...]) -> None:
    code, _, stderr = run(*group)
    assert code == 2
    assert stderr.startswith("Usage: quantum-mlops")


@pytest.mark.usefixtures("log")
def test_alerts_lists_what_still_fires_after_retention_removed_its_finding(run: Run, tmp_path: Path) -> None:
    old, told, over = "88" * 16, "77" * 16, "3f2a" + "0" * 28
    labels = {"backend": "ibm_osaka", "rule": "CircuitDrift"}
    store = OutboxStore(tmp_path / "state" / "outbox.sqlite")
    with store.transaction():
        for finding_id in (old, told, over):
            store.put("alerts", finding_id, Alert(
                key=finding_id, fingerprint=finding_id, finding_id=finding_id, status="firing", rule="CircuitDrift",
                severity="critical", starts=NOW - 40 * DAY, updated=NOW, open=[finding_id], labels=labels,
                values={"hellinger": 0.3},
            ))  # fmt: skip
        ended = Alert(
            key="e", fingerprint="e", finding_id="99" * 16, status="resolved", rule="CircuitDrift", severity="critical",
            starts=NOW, updated=NOW, labels=labels,
        )  # fmt: skip
        store.put("alerts", "e", ended)
    store.close()
    stdout = run("alerts")[1]
    assert stdout.startswith(
        "FIRING critical CircuitDrift backend=ibm_osaka\n"
        "  since 2026-10-11 12:00:00 UTC\n"
        "  Hellinger 0.3\n"
        f"  id {old}\n\n"
        "FIRING critical CircuitDrift backend=ibm_hanoi"
    )
    assert "2 firing, 1 resolved, 0 notices\n" in stdout
    assert "evidence: no longer in the log ([log] retention)\n" in run("alerts", "show", "88")[1]


@pytest.mark.usefixtures("log")
def test_tail_shows_the_last_ones(run: Run) -> None:
    stdout = run("tail", "-n", "2")[1]
    assert stdout == '12:00:00.000 metric.logged        iris {"values":{"loss":0.5}}\n' * 2
    lines = [json.loads(line) for line in run("tail", "findings", "--json")[1].splitlines()]
    assert [line["type"].split(".")[2] for line in lines] == ["opened", "closed", "opened"]
    assert run("tail", "dead_letters")[1] == (
        f"12:00:00.000 spool no event x\n12:00:00.000 processor:drift too many (qml://h/n?, 7) ?[2J{'y' * 155}…\n"
    )
    assert run("tail", "summaries")[1] == ""


@pytest.mark.usefixtures("log")
def test_tail_shows_the_window_of_a_summary_as_times(run: Run, tmp_path: Path) -> None:
    data = SummaryMade(series="iris/summaries/project", start=NOW, end=NOW + 60 * SECOND, counts={"job.created": 3})
    made = Event(id="1", source="s", type=type_name("summary.window"), time=NOW, partitionkey="iris", data=data)
    log = SqliteLog(tmp_path / "state" / "store.sqlite", clock=ManualClock(NOW))
    log.commit(0, Commit(summaries=[made], watermark=b""))
    log.close()
    assert run("tail", "summaries")[1] == (
        "12:00:00.000 summary.window       iris 2026-11-20 12:00:00 to 12:01:00"
        ' {"series":"iris/summaries/project","counts":{"job.created":3}}\n'
    )
    assert json.loads(run("tail", "summaries", "--json")[1])["data"]["start"] == NOW


@pytest.mark.usefixtures("log")
def test_replay_names_what_differs_and_exits_with_1(run: Run) -> None:
    code, stdout, _ = run("replay")
    assert code == 1
    assert stdout.splitlines()[-1] == "identical: 0 of 3 (events replayed: 20)"
    assert stdout.count("[only in the log]") == 3
    found = json.loads(run("replay", "--since", "2026-11-20T12:01:00Z", "--json")[1])
    assert [one["change"] for one in found["transitions"]] == ["closed"]


@pytest.mark.usefixtures("log")
def test_doctor_is_well_without_a_daemon_and_in_json(run: Run) -> None:
    code, stdout, _ = run("doctor", "--json")
    found = {one["name"]: one["verdict"] for one in json.loads(stdout)}
    assert code == 0
    assert found["configuration"] == found["log"] == found["state folder"] == "ok"
    assert found["daemon"] == "note"
    stdout = run("doctor")[1]
    assert "sqlite" in stdout
    assert "note dead letters  2 kept with their reasons; see: quantum-mlops tail dead_letters\n" in stdout


def test_doctor_tells_what_training_code_needs_to_find_a_spool_of_the_file(run: Run, tmp_path: Path) -> None:
    assert "training code" not in run("doctor")[1]
    (tmp_path / "quantum-mlops.toml").write_text('[spool]\ndir = "elsewhere"\n')
    code, stdout, _ = run("doctor")
    assert code == 0
    assert f"note target        training code needs QML_TARGET=spool:{tmp_path}/elsewhere\n" in stdout


def test_doctor_exits_with_1_on_a_store_that_is_none(run: Run, tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "store.sqlite").write_bytes(b"no database" * 1000)
    code, stdout, _ = run("doctor")
    assert code == 1
    assert "fail log" in stdout


def test_a_log_in_memory_has_nothing_to_read(run: Run, tmp_path: Path) -> None:
    (tmp_path / "quantum-mlops.toml").write_text('[log]\nkind = "memory"\n')
    assert run("alerts")[2].startswith("quantum-mlops: this log is in memory")


def test_config_check_says_what_is_in_force(run: Run, tmp_path: Path) -> None:
    code, stdout, _ = run("config", "check")
    assert code == 0
    assert stdout.splitlines()[:2] == ["no file, the defaults: ok", "  receivers  log (log)"]


def test_config_check_shows_the_bridge_and_the_follower(run: Run, tmp_path: Path) -> None:
    (tmp_path / "quantum-mlops.toml").write_text(
        '[mqtt]\nurl = "mqtt://127.0.0.1"\n[follower]\nenabled = true\nproviders = ["ibm", "ionq"]\n'
    )
    code, stdout, _ = run("config", "check")
    assert code == 0
    assert "  mqtt       mqtt://127.0.0.1 (qml/v1/+/events)\n  follower   ibm, ionq; calibrations: 15m\n" in stdout
    shown = json.loads(run("config", "check", "--json")[1])
    assert (shown["mqtt"]["url"], shown["follower"]["providers"]) == ("mqtt://127.0.0.1", ["ibm", "ionq"])


def test_config_check_shows_kafka_and_no_secret(run: Run, tmp_path: Path) -> None:
    (tmp_path / "password").write_text("hidden")
    (tmp_path / "password").chmod(0o600)
    (tmp_path / "quantum-mlops.toml").write_text(
        '[log]\nkind = "kafka"\n[kafka]\nbootstrap_servers = ["kafka-1:9093"]\nsecurity_protocol = "SASL_SSL"\n'
        'sasl_mechanism = "SCRAM-SHA-512"\nsasl_username = "ann"\nsasl_password_file = "password"\n'
    )
    code, stdout, _ = run("config", "check")
    assert code == 0
    assert "  kafka      kafka-1:9093 (SCRAM-SHA-512)\n             topics qml.*, group quantum-mlops\n" in stdout
    code, as_json, _ = run("config", "check", "--json")
    assert json.loads(as_json)["kafka"]["sasl_password_file"] == str(tmp_path / "password")
    assert "hidden" not in stdout + as_json


def test_config_check_notes_what_is_no_mistake_and_has_no_effect(run: Run, tmp_path: Path) -> None:
    (tmp_path / "quantum-mlops.toml").write_text(
        "[receivers.team]\nlog = {}\n[receivers.night]\nlog = {}\n[receivers.spare]\nlog = {}\n"
        '[route]\nreceiver = "team"\ngroup_by = ["rule", "backend", "severity"]\n'
        '[[route.routes]]\nreceiver = "night"\ngroup_by = ["..."]\n'
        '[[route.routes]]\ngroup_by = ["bakend", "project", "budget", "partition"]\n'
    )
    code, stdout, _ = run("config", "check")
    assert code == 0
    notes = [
        "route.group_by: no alert has the label 'severity'; it may change while an alert fires",
        "route.routes[1].group_by: no alert has the label 'bakend'; did you mean backend?",
        "receivers.spare: no route sends to it",
    ]
    assert stdout.splitlines()[-3:] == [f"  note       {note}" for note in notes]
    assert json.loads(run("config", "check", "--json")[1])["notes"] == notes


def test_labels_are_not_judged_where_a_processor_does_not_say_which_ones_it_sets(tmp_path: Path) -> None:
    class Free:
        name = "free"

    config = read_config(None, {"QML_STATE_DIR": str(tmp_path)})
    config = structs.replace(config, route=Route(receiver="log", group_by=["anything"]))
    assert list(advise(config, [Free()])) == []
    assert list(advise(config, [])) == [
        "route.group_by: no alert has the label 'anything'; known are error, partition, processor, project, rule"
    ]


def test_config_check_and_receivers_test_in_json_name_no_secret(run: Run, tmp_path: Path) -> None:
    (tmp_path / "url").write_text("http://127.0.0.1:1/hidden/token")
    (tmp_path / "quantum-mlops.toml").write_text(
        '[receivers.team]\nslack = { url_file = "url", timeout = "500ms" }\nlog = {}\n[route]\nreceiver = "team"\n'
        '[[rules.threshold]]\nname = "Low"\nmetric = "accuracy"\nbelow = 0.5\n'
    )
    code, checked, _ = run("config", "check", "--json")
    assert code == 0
    assert json.loads(checked) == {
        "path": str(tmp_path / "quantum-mlops.toml"),
        "receivers": {"team": ["slack", "log"]},
        "thresholds": ["Low"],
        "log": "sqlite",
        "kafka": None,
        "mqtt": None,
        "follower": None,
        "state_dir": str(tmp_path / "state"),
        "spool_dir": str(tmp_path / "state" / "spool"),
        "notes": [],
    }
    code, tried, _ = run("receivers", "test", "--json")
    assert code == 1
    by_kind = {one["kind"]: one["error"] for one in json.loads(tried)}
    assert by_kind["log"] is None
    assert by_kind["slack"] == "no connection (ConnectError)"
    assert "hidden" not in checked + tried


def test_the_help_names_every_exit_code(run: Run) -> None:
    stdout = " ".join(run("--help")[1].split())
    assert (
        "Exit codes: 0 done, 1 failed, 2 a mistake in what was asked or configured, 130 interrupted by Ctrl-C."
        in stdout
    )
