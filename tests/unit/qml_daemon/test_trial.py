import pytest

from qml_daemon.trial import try_rules
from qml_processors.runner import Runner, apply_config, load_processors
from quantum_mlops.clock import SECOND, ManualClock
from quantum_mlops.config.rules import Rules, ThresholdRule
from quantum_mlops.events import Context, Event, MetricLogged, type_name
from quantum_mlops.transports.sqlite import SqliteLog

START = 1_700_000_000 * SECOND


@pytest.fixture
def reader(tmp_path):
    clock = ManualClock(START)
    log = SqliteLog(tmp_path / "store.sqlite", clock=clock)
    runner = Runner(log, load_processors())
    runner.open(0)
    apply_config(log, runner, Rules(threshold=[_rule(0.5)]), clock, "qml://test/1/config")
    for number, value in enumerate((0.9, 0.7, 0.4, 0.9, 0.6, 0.9)):
        clock.advance_seconds(60)
        log.append([_metric(number, value, clock())])
        while runner.process_batch():
            pass
    runner.close()
    log.close()
    found = SqliteLog.open_reader(tmp_path / "store.sqlite")
    yield found
    found.close()


def _rule(below):
    return ThresholdRule(name="Low", metric="accuracy", below=below)


def _metric(number, value, time):
    return Event(
        id=f"{number:016x}",
        source="qml://host/a/1",
        type=type_name("metric.logged"),
        time=time,
        partitionkey="iris",
        project="iris",
        context=Context(runid="r"),
        data=MetricLogged(values={"accuracy": value}),
    )


def test_the_same_rules_find_what_was_found(reader):
    (rule,) = try_rules(reader, Rules(threshold=[_rule(0.5)]), 0).rules
    assert (rule.rule, rule.opened, rule.found_before, rule.longest_seconds) == ("Low/below", 1, 1, 60.0)


def test_other_rules_find_what_they_would_have_found_from_the_first_record_on(reader):
    trial = try_rules(reader, Rules(threshold=[_rule(0.8)]), 0)
    assert [(one.opened - START) // SECOND for one in trial.findings] == [120, 300]
    assert trial.rules[0].found_before == 1
    assert trial.events == 6
    assert trial.begins == START


def test_only_what_opened_since_is_shown_though_all_is_replayed(reader):
    trial = try_rules(reader, Rules(threshold=[_rule(0.8)]), START + 200 * SECOND)
    assert [(one.opened - START) // SECOND for one in trial.findings] == [300]
    assert trial.rules[0].found_before == 0


def test_without_rules_nothing_is_found_and_what_was_is_still_counted(reader):
    trial = try_rules(reader, Rules(), 0)
    assert trial.findings == []
    assert [(one.rule, one.found_before) for one in trial.rules] == [("Low/below", 1)]


def test_the_progress_is_told(reader):
    told = []
    try_rules(reader, Rules(), 0, lambda done, total: told.append((done, total)))
    assert told[-1] == (7, 7)
