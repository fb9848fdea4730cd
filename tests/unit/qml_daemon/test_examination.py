"""What `doctor` says of a running daemon, from the figures that it writes."""

from pathlib import Path

from msgspec.structs import replace

from qml_daemon.configuration import read_config
from qml_daemon.examination import examine_all
from qml_daemon.ingest.door import IngestStats
from qml_daemon.places import STATUS
from qml_daemon.runtime import Daemon
from qml_daemon.status import read_status, write_status


def test_doctor_counts_what_came_by_every_door_and_says_how_much_waits(tmp_path: Path) -> None:
    path = tmp_path / "c.toml"
    path.write_text('[state]\ndir = "state"\n[spool]\ndir = "spool"\n[http]\nlisten = "off"\n')
    config = read_config(path, {})
    config.state_dir.mkdir()
    daemon = Daemon(config)
    daemon.start()
    try:
        status = read_status(config.state_dir / STATUS)
        assert status is not None
        (partition,) = status.runner.partitions
        counts = replace(partition.counts, unknown=2)
        behind = replace(status.runner, partitions=[replace(partition, lag=20_000, counts=counts)])
        taken = IngestStats(requests=1, accepted=7, rejected={}, refused={}, waiting=3)
        intake = replace(status.intake, events=5)
        write_status(config.state_dir / STATUS, replace(status, runner=behind, ingest=taken, intake=intake))
        found = {one.name: one for one in examine_all(path, {})}
    finally:
        daemon.close()
    assert found["daemon"].text.endswith("12 events since its start")
    assert found["lag"].verdict == "note"
    assert found["lag"].text == "20000 records of the log not processed yet, 3 events received and not in the log yet"
    assert found["versions"].verdict == "ok"
    assert found["versions"].text.endswith("; 2 events of types that the daemon does not know were kept")
