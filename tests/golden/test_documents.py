"""The documents hold what they say: the README's example runs, its configuration is one, links lead somewhere."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from qml_daemon.configuration import read_config
from quantum_mlops.events import MetricLogged
from quantum_mlops.spool.reader import read_folder

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])


def block(language: str) -> str:
    (found,) = re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)
    return found


def test_the_readmes_example_runs_as_it_stands_and_is_recorded(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(block("python"), encoding="utf-8")
    environ = {**os.environ, "QML_SPOOL_DIR": str(tmp_path / "spool"), "QML_STATE_DIR": str(tmp_path)}
    done = subprocess.run([sys.executable, "train.py"], cwd=tmp_path, env=environ, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    events = list(read_folder(tmp_path / "spool"))
    kinds = [event.type.split(".", 1)[1] for event in events]
    assert (kinds.count("canary.measured.v1"), kinds.count("job.completed.v1"), kinds.count("run.ended.v1")) == (
        10,
        110,
        1,
    )
    lost = [event for event in events if isinstance(event.data, MetricLogged) and event.data.nonfinite]
    assert [(event.context.step, event.data.nonfinite) for event in lost] == [(60, {"loss": "nan"})]


def test_the_readmes_configuration_is_one(tmp_path: Path) -> None:
    (tmp_path / "slack-url").write_text("https://hooks.slack.com/services/T/B/x", encoding="utf-8")
    (tmp_path / "c.toml").write_text(block("toml").replace("/etc/quantum-mlops", str(tmp_path)), encoding="utf-8")
    config = read_config(tmp_path / "c.toml", {})
    assert (config.rules.threshold[0].name, config.rules.cost.budgets[0].name) == ("LowAccuracy", "November")
    assert config.http.external_url == "https://monitor.example"


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(path: Path) -> None:
    targets = re.findall(r"\]\((?!https?://|#)([^)#\s]+)", path.read_text(encoding="utf-8"))
    assert [target for target in targets if not (path.parent / target).exists()] == []


def test_the_document_on_the_week_lists_its_findings() -> None:
    week = json.loads((ROOT / "tests" / "golden" / "week" / "findings.json").read_text(encoding="utf-8"))
    rows = [
        f"| `{one['rule']}` ({one['severity']}) | {one['where']} | {one['opened']} | {one['closed'] or 'open'} | {one['why']} |"
        for one in week
    ]
    told = (ROOT / "docs" / "week.md").read_text(encoding="utf-8").splitlines()
    assert [line for line in told if line.startswith("| `")] == rows
