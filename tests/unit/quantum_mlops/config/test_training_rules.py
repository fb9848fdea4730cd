import re
from pathlib import Path

import pytest

from qml_daemon.configuration import read_config
from quantum_mlops.config.rules import TrainingRule
from quantum_mlops.errors import ConfigError

ALERTS = Path(__file__).parents[4] / "docs" / "alerts"
DOCUMENTED = ["LossNaN", "GradientExplosion", "BarrenPlateau", "TrainingStalled", "CircuitDrift", "Threshold"]


def load(folder, text):
    path = folder / "quantum-mlops.toml"
    path.write_text(text, encoding="utf-8")
    return read_config(path, {"HOME": str(folder)}).rules


def test_without_a_section_everything_is_watched_by_the_defaults(tmp_path):
    assert load(tmp_path, "").training == TrainingRule()


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ('false_alarms = "rarely"', "rules.training.false_alarms: cannot read"),
        ('off = ["LossNan"]', "rules.training.off"),
        ("loss_metrics = []", "rules.training.loss_metrics: name at least one loss"),
        ("explosion_factor = 1.0", "rules.training.explosion_factor"),
        ("plateau_steps = 3", "rules.training.plateau_steps"),
        ('stall_time = "soon"', "rules.training.stall_time"),
        ("stall_step = 100", "rules.training.stall_step"),
    ],
)
def test_a_mistake_is_named_with_its_place(tmp_path, text, place):
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, f"[rules.training]\n{text}\n")
    assert place in str(caught.value)


@pytest.mark.parametrize("name", DOCUMENTED)
def test_what_the_documentation_of_an_alert_says_to_write_loads(tmp_path, name):
    (snippet,) = re.findall(r"```toml\n(.*?)```", (ALERTS / f"{name}.md").read_text(encoding="utf-8"), re.DOTALL)
    assert load(tmp_path, snippet) != load(tmp_path, "")
