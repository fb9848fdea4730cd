"""The example in docs/training.md, run as a user would, and what it says of itself."""

import re
import subprocess
import sys
from pathlib import Path

from quantum_mlops.events import MetricLogged, RunStarted
from quantum_mlops.sdk.expectation import THEORIES, expected_executions
from quantum_mlops.spool.reader import read_folder

PAGE = (Path(__file__).parents[2] / "docs" / "training.md").read_text(encoding="utf-8")


def test_the_example_runs_and_tells_what_the_page_says(tmp_path):
    program = tmp_path / "example.py"
    program.write_text("\n".join(re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)))
    done = subprocess.run(
        [sys.executable, program],
        env={"PATH": "/usr/bin:/bin", "QML_STATE_DIR": str(tmp_path), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    events = sorted(read_folder(tmp_path / "spool"), key=lambda event: (event.time, event.id))
    names = {event.context.runid: event.data.name for event in events if isinstance(event.data, RunStarted)}
    told = {name: [] for name in names.values()}
    for event in events:
        if isinstance(event.data, MetricLogged):
            told[names[event.context.runid]].append((event.context.step, event.data))
    assert list(told) == ["vqe", "vqe-2", "cobyla"]

    values = [(step, data.values) for step, data in told["vqe"]]
    assert [step for step, _ in values] == [step for step in range(5) for _ in ("logged", "ended")]
    assert [data["loss"] for _, data in values[::2]] == sorted((data["loss"] for _, data in values[::2]), reverse=True)
    assert all((data["executions"], data["executions_expected"], data["jobs"]) == (9, 8, 1) for _, data in values[1::2])
    assert [step for step, _ in told["vqe-2"]] == list(range(5))
    assert all(data.gradient.size == 4 and data.values["executions"] == 9 for _, data in told["vqe-2"])
    assert sum(data.values["evaluations"] for _, data in told["cobyla"]) == 20
    assert told["cobyla"][0][1].values["executions_expected"] == told["cobyla"][0][1].values["executions"]


def test_the_table_of_methods_is_that_of_the_code():
    table = PAGE.partition("| `method` |")[2].partition("\n\n")[0]
    rows = [[cell.strip() for cell in row.strip("| ").split("|")] for row in table.splitlines()[2:]]
    formulas = {"2P": 20, "P": 10, "P + 1": 11}
    said = {}
    for names, executions, _ in rows:
        counts = [formulas[each] if each in formulas else int(each) for each in executions.split("; ")]
        groups = names.split("; ") if len(counts) > 1 else [names]
        for group, count in zip(groups, counts, strict=True):
            said |= dict.fromkeys(re.findall(r"`([\w-]+)`", group), count)
    assert said.keys() >= THEORIES.keys()
    assert {name: expected_executions(name, 10) for name in said} == said
