from qml_processors.runner.rules_schedule import DEFAULT, NEVER, RulesSchedule
from quantum_mlops.config.rules import Rules
from quantum_mlops.events import ConfigApplied


def config(effective, name="h"):
    return ConfigApplied(effective=effective, hash=name, rules=Rules())


def test_defaults_act_where_no_config_was_ever_applied():
    schedule = RulesSchedule()
    assert schedule.current is DEFAULT
    assert schedule.upcoming == NEVER
    assert schedule.current.rules == Rules()


def test_a_config_acts_from_its_effective_time():
    schedule = RulesSchedule()
    assert not schedule.add(config(100, "a"), ("s", "1"), 99, first=False)
    assert schedule.current is DEFAULT
    assert schedule.upcoming == 100
    assert schedule.switch().hash == "a"
    assert schedule.upcoming == NEVER


def test_a_late_config_acts_one_nanosecond_after_it_came_and_says_so():
    schedule = RulesSchedule()
    assert schedule.add(config(100), ("s", "1"), 100, first=False)
    assert schedule.upcoming == 101


def test_the_first_record_of_an_empty_partition_may_act_from_the_beginning():
    schedule = RulesSchedule()
    assert not schedule.add(config(0, "a"), ("s", "1"), 50, first=True)
    assert schedule.current.hash == "a"
    assert schedule.current.acts == 0
    assert schedule.upcoming == NEVER


def test_a_known_config_is_ignored():
    schedule = RulesSchedule()
    schedule.add(config(100), ("s", "1"), 50, first=False)
    schedule.switch()
    assert not schedule.add(config(100), ("s", "1"), 500, first=False)
    assert schedule.upcoming == NEVER
    assert len(schedule.configs()) == 1


def test_a_config_that_came_after_a_greater_one_never_acts():
    schedule = RulesSchedule()
    schedule.add(config(100, "greater"), ("s", "1"), 50, first=False)
    schedule.switch()
    assert schedule.add(config(90, "smaller"), ("s", "2"), 200, first=False)
    assert schedule.upcoming == NEVER
    assert schedule.in_force(10**6).hash == "greater"


def test_at_one_instant_the_greatest_source_and_id_wins():
    schedule = RulesSchedule()
    schedule.add(config(100, "b"), ("s", "2"), 50, first=False)
    schedule.add(config(100, "a"), ("s", "1"), 50, first=False)
    assert schedule.switch().hash == "b"
    assert schedule.upcoming == NEVER


def test_what_a_replay_needs_is_kept():
    schedule = RulesSchedule()
    for effective in (100, 200, 300):
        schedule.add(config(effective, str(effective)), ("s", str(effective)), 50, first=False)
    assert [c.hash for c in schedule.prune(250)] == ["100"]
    assert [c.hash for c in schedule.configs()] == ["200", "300"]
    again = RulesSchedule(schedule.configs(), 250)
    assert again.current.hash == "200"
    assert again.upcoming == 300
