"""The SDK in an executed notebook: a handle stays current over cells, and ends when it is told."""

import nbclient
import nbformat
import pytest

from quantum_mlops.spool.reader import read_folder

CELLS = (
    ("import quantum_mlops\n"
    "undo = quantum_mlops.autolog(project='iris')\n"
    "run = quantum_mlops.run('vqc-1', tags={'cell': 1}).start()\n"
    "quantum_mlops.log_metrics({'first': 0.5}, step=1)"),
    "quantum_mlops.current_run() is run, quantum_mlops.log_metrics({'second': 0.4}, step=2)",
    ("import threading\n"
    "thread = threading.Thread(target=quantum_mlops.log_metrics, args=({'thread': 1},))\n"
    "thread.start(); thread.join()"),
    "async def later():\n    quantum_mlops.log_metrics({'awaited': 1})\nawait later()",
    "raise ValueError('a cell that fails is not the end of the run')",
    "quantum_mlops.log_metrics({'after': 1}); run.end(); quantum_mlops.flush(), quantum_mlops.current_run()",
    "quantum_mlops.log_metrics({'outside': 1}); undo(); quantum_mlops.flush()",
)  # fmt: skip


@pytest.fixture
def executed(tmp_path, monkeypatch):
    monkeypatch.setenv("QML_SPOOL_DIR", str(tmp_path / "spool"))
    for name in ("IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR"):
        monkeypatch.setenv(name, str(tmp_path / name))
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in CELLS])
    client = nbclient.NotebookClient(notebook, timeout=60, kernel_name="python3", allow_error_names=["ValueError"])
    client.execute()
    return notebook.cells


def answer(cell):
    return [output["data"]["text/plain"] for output in cell.outputs if output.output_type == "execute_result"]


def test_a_run_spans_cells_from_its_start_to_its_end(executed, tmp_path):
    assert [answer(cell) for cell in executed] == [["True"], ["(True, True)"], [], [], [], ["(True, None)"], ["True"]]
    assert not [output for cell in executed for output in cell.outputs if output.output_type == "stream"]
    events = read_folder(tmp_path / "spool")
    started = {event.data.name: event for event in events if ".run.started." in event.type}
    run = started["vqc-1"].context.runid
    logged = {name: event.context for event in events for name in getattr(event.data, "values", {})}
    assert {name for name, context in logged.items() if context.runid == run} == {
        "first", "second", "thread", "awaited", "after",
    }  # fmt: skip
    assert (logged["first"].step, logged["second"].step) == (1, 2)
    implicit = next(event for event in started.values() if event.data.implicit)
    assert logged["outside"].runid == implicit.context.runid
    (ended,) = (event for event in events if ".run.ended." in event.type and event.context.runid == run)
    assert ended.data.status == "completed"
    assert {event.project for event in events} == {"iris"}
