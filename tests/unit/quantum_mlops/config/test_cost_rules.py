from pathlib import Path

import pytest

from qml_daemon.configuration import read_config
from quantum_mlops.errors import ConfigError

HEAD = '[receivers.team]\nlog = {}\n[route]\nreceiver = "team"\n[rules.cost]\n'


def load(tmp_path: Path, text: str):
    (tmp_path / "c.toml").write_text(HEAD + text)
    return read_config(tmp_path / "c.toml", {}).rules.cost


def test_caps_and_budgets_are_read(tmp_path):
    rule = load(
        tmp_path,
        'caps = [{ per = "job", amount = "50", currency = "USD" }]\n'
        '[[rules.cost.budgets]]\nname = "Team"\namount = "1000.50"\ncurrency = "EUR"\nproject = "iris"\n',
    )
    assert (rule.caps[0].per, rule.caps[0].amount) == ("job", "50")
    assert (rule.budgets[0].period, rule.budgets[0].amount, rule.budgets[0].project) == ("month", "1000.50", "iris")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('caps = [{ per = "job", amount = 50.0, currency = "USD" }]', "rules.cost.caps[0].amount"),
        ('caps = [{ per = "job", amount = "-1", currency = "USD" }]', "rules.cost.caps[0].amount"),
        (
            'caps = [{ per = "job", amount = "0.00", currency = "USD" }]',
            "rules.cost.caps[0].amount: must be more than 0",
        ),
        ('caps = [{ per = "job", amount = "1", currency = "usd" }]', "rules.cost.caps[0].currency"),
        ('caps = [{ per = "shot", amount = "1", currency = "USD" }]', "rules.cost.caps[0].per"),
        (
            'budgets = [{ name = "A", amount = "1", currency = "USD" }, { name = "A", amount = "1", currency = "EUR" }]',
            "rules.cost.budgets[1].name: 'A' is already the name of rules.cost.budgets[0]",
        ),
        (
            'budgets = [{ name = "A", amount = "0", currency = "USD" }]',
            "rules.cost.budgets[0].amount: must be more than 0",
        ),
        ('false_alarms = "rarely"', "rules.cost.false_alarms"),
        ("minimum_ratio = 1.0", "rules.cost.minimum_ratio"),
        ('idle_session = "soon"', "rules.cost.idle_session"),
    ],
)
def test_a_mistake_is_named_with_its_place(tmp_path, text, message):
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, text + "\n")
    assert message in str(caught.value)
