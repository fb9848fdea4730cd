"""A spool that cannot be written: training is unharmed, and the loss is counted, said and reported.

The full disk is a small tmpfs where this process may mount one, else a limit on the size of files.
"""

import contextlib
import json
import os
import subprocess
import sys

import pytest

from quantum_mlops.spool.reader import read_folder

TRAIN = """
import json, os, sys, time
import quantum_mlops as q
q.autolog()
with q.run("x") as run:
    total = 0
    for number in range(%d):
        total += number
        run.step = number
        q.log_metrics({"number": number, "pad": 1})
        q.emit("com.example.note", {"number": number, "pad": "x" * 100})
        if number %% 500 == 0:
            q.flush()
    %s
q.flush()
stats = q.stats()
print(json.dumps([total, stats.written, stats.dropped, stats.waiting, stats.reasons]), flush=True)
"""


def train(spool, events=5000, last="pass", prefix=()):
    done = subprocess.run(
        [*prefix, sys.executable, "-c", TRAIN % (events, last)],
        env={"QML_SPOOL_DIR": str(spool), "PATH": "/usr/bin:/bin"}, timeout=60, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    total, written, dropped, waiting, reasons = json.loads(done.stdout)
    assert total == sum(range(events))
    return written, dropped, waiting, reasons, done.stderr


@contextlib.contextmanager
def mounted(folder, options):
    """A tmpfs on the folder; yields False where this process may not mount."""
    folder.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], check=False, capture_output=True
    )
    try:
        yield done.returncode == 0
    finally:
        if done.returncode == 0:
            subprocess.run(["umount", str(folder)], check=True)


def lines(stderr):
    return [line for line in stderr.splitlines() if "spool" in line]


def test_on_a_full_disk_training_goes_on_and_every_event_is_accounted_for(tmp_path):
    with mounted(tmp_path / "disk", "size=256k") as small:
        prefix = () if small else ("sh", "-c", 'ulimit -f 256; exec "$@"', "sh")
        spool = tmp_path / "disk" / "spool"
        written, dropped, waiting, reasons, stderr = train(spool, prefix=prefix)
        assert set(reasons) == {"disk_full"}
        assert dropped > 1000
        assert 10_002 <= written + dropped + waiting <= 10_002 + 10  # two bounds of the run, and the reports of loss
        events = read_folder(spool)
        for kind in (".metric.", "com."):
            numbers = [event.context.step for event in events if kind in event.type]
            assert numbers == sorted(numbers)
        ids = {}
        for event in events:
            ids.setdefault(event.source, []).append(int(event.id, 16))
        assert all(numbers == list(range(len(numbers))) for numbers in ids.values())
    assert len(lines(stderr)) == 1
    assert "No space left on device" in stderr or "short write" in stderr or "File too large" in stderr
    assert "events could not be written before the end" in stderr or "events lost" in stderr


def test_when_the_disk_has_room_again_the_loss_arrives_as_an_event_and_lifecycle_waited(tmp_path):
    filler = tmp_path / "disk" / "filler"
    last = f"time.sleep(1.1); os.path.exists({str(filler)!r}) and os.remove({str(filler)!r}); q.emit('com.example.last', {{}}); q.flush()"
    with mounted(tmp_path / "disk", "size=1m") as small:
        if small:
            filler.write_bytes(bytes(900_000))
            written, dropped, _, reasons, _ = train(tmp_path / "disk" / "spool", 2000, last)
            events = read_folder(tmp_path / "disk" / "spool")
        else:
            blocker = tmp_path / "disk" / "spool"
            blocker.write_text("a file where the folder should be")
            last = f"time.sleep(1.1); os.remove({str(blocker)!r}); q.emit('com.example.last', {{}}); q.flush()"
            written, dropped, _, reasons, _ = train(blocker, 2000, last)
            events = read_folder(blocker)
    assert dropped > 0
    reported = [event.data for event in events if ".emitter.dropped." in event.type]
    assert sum(report.count for report in reported) == dropped
    assert {reason for report in reported for reason in report.reasons} == set(reasons)
    assert {"quantum_mlops.run.started.v1", "quantum_mlops.run.ended.v1", "com.example.last"} <= {
        event.type for event in events
    }
    notes = [event for event in events if event.type == "com.example.note"]
    assert [event.context.step for event in notes] == sorted(event.context.step for event in notes)
    assert written + 1 >= len(events) - 2


def test_a_read_only_spool_costs_events_and_nothing_else(tmp_path):
    with mounted(tmp_path / "disk", "ro") as read_only:
        if not read_only:
            os.chmod(tmp_path / "disk", 0o500)  # noqa: PTH101 - a folder that its owner may not write
        written, dropped, waiting, reasons, stderr = train(tmp_path / "disk" / "spool", 20_000)
    assert (written, set(reasons)) == (0, {"spool_unwritable"})
    assert dropped >= 20_000
    assert waiting > 0
    assert len([line for line in lines(stderr) if "cannot write the spool" in line]) == 1
    assert "Read-only file system" in stderr or "Permission denied" in stderr
    assert "could not be written before the end" in stderr


@pytest.mark.parametrize("place", ["file", "/proc/quantum-mlops/spool", "/dev/null/spool"])
def test_a_spool_that_can_never_be_is_the_same(tmp_path, place):
    if place == "file":
        place = tmp_path / "file"
        place.write_text("")
    written, dropped, _, reasons, _ = train(place, 1000)
    assert (written, set(reasons)) == (0, {"spool_unwritable"})
    assert dropped >= 1000


def test_a_spool_that_is_deleted_under_the_writer_is_made_anew(tmp_path):
    last = f"import shutil; q.flush(); shutil.rmtree({str(tmp_path / 'spool')!r}); q.log_metrics({{'after': 1}}); q.flush()"
    train(tmp_path / "spool", 10, last)
    events = read_folder(tmp_path / "spool")
    assert any("after" in getattr(event.data, "values", {}) for event in events)
    assert events[-1].type == "quantum_mlops.run.ended.v1"


def test_without_a_daemon_the_spool_stops_at_its_cap_and_lifecycle_goes_on(tmp_path):
    code = """
import quantum_mlops as q
from quantum_mlops.spool import writer
from quantum_mlops.sdk import delivery
real = writer.SpoolWriter.__init__
writer.SpoolWriter.__init__ = lambda self, folder, by, *, cap_bytes=400_000: real(self, folder, by, cap_bytes=cap_bytes)
with q.run("x"):
    for number in range(10_000):
        q.log_metrics({"number": number}, step=number)
        if number % 500 == 0: q.flush()
    q.emit("com.example.note", {"n": 1}); q.flush()
print(q.stats().reasons)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], env={"QML_SPOOL_DIR": str(tmp_path / "spool")},
        timeout=60, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "spool_full" in done.stdout
    assert "over 350000 bytes in the spool" in done.stderr
    events = read_folder(tmp_path / "spool")
    types = {event.type.removeprefix("quantum_mlops.") for event in events}
    assert {"run.started.v1", "run.ended.v1", "com.example.note", "emitter.dropped.v1"} <= types
    assert sum(path.stat().st_size for path in (tmp_path / "spool").iterdir()) <= 400_000
