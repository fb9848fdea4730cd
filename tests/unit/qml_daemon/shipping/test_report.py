"""What `doctor` says of events that wait for a service."""

from pathlib import Path

from qml_daemon.shipping.report import report_shipping
from quantum_mlops.events import MetricLogged
from quantum_mlops.sdk.recorder import Recorder
from quantum_mlops.sdk.settings import Settings
from quantum_mlops.shipping.address import outgoing_folder, parse_address
from quantum_mlops.shipping.rejects import Rejects


def test_nothing_is_said_where_nothing_waits(tmp_path: Path) -> None:
    outgoing_folder(tmp_path, parse_address("https://m.example"), "iris").mkdir()
    assert list(report_shipping(tmp_path)) == []
    assert list(report_shipping(tmp_path / "none")) == []


def test_what_was_not_sent_is_told_with_its_folder_and_the_mend(tmp_path: Path) -> None:
    folder = outgoing_folder(tmp_path, parse_address("https://m.example"), "iris")
    recorder = Recorder(Settings(spool=str(folder), project="iris"))
    recorder.start()
    assert recorder.emit("metric.logged", MetricLogged(values={"loss": 0.5}))
    assert recorder.close(5.0)
    ((name, verdict, text),) = report_shipping(tmp_path)
    assert (name, verdict) == ("unsent", "note")
    assert text.startswith(f"{folder}: 2 segments, "), "the run that began, and its metric"
    assert " 0 KiB" not in text
    assert text.endswith(f"quantum-mlops ship --once --spool {folder} --target URL")


def test_what_the_service_refused_is_told_where_it_is_kept(tmp_path: Path) -> None:
    Rejects(tmp_path).keep([(b"{}", "malformed")], 0)
    ((name, _, text),) = report_shipping(tmp_path)
    assert name == "rejected"
    assert str(tmp_path / ".shipping" / "rejected.jsonl") in text
