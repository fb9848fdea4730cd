"""The views' process killed at random: what they show in the end is what a fresh projection of the log shows."""

import random
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

from qml_daemon.follow import Follower
from qml_daemon.views.projector import no_listener
from qml_daemon.views.schema import TABLES
from qml_daemon.views.upkeep import Views
from quantum_mlops.clock import DAY, SECOND, ManualClock
from quantum_mlops.events import Context, Event, Job, MetricLogged, type_name
from quantum_mlops.transports.sqlite import SqliteLog

START = 1_800_000_000 * SECOND
EVENTS, KILLS = 20_000, 8
SCRIPT = """
import sys
from pathlib import Path
import qml_daemon.follow as follow
from qml_daemon.views.projector import no_listener
from qml_daemon.views.upkeep import Views
from quantum_mlops.clock import DAY
from quantum_mlops.transports.sqlite import SqliteLog

follow.BATCH = 50
log = SqliteLog.open_reader(sys.argv[1])
views = Views(Path(sys.argv[2]), log, 30 * DAY, no_listener)
follower = follow.Follower(log, [views.seat])
print("ready", flush=True)
while follower.step():
    pass
print("done", flush=True)
"""


def make_event(number: int, random_: random.Random) -> Event:
    if number % 3:
        name, data = "metric.logged", MetricLogged(values={"loss": random_.random(), "acc": 0.5})
    else:
        status = random_.choice(["created", "queued", "completed", "failed"])
        name, data = f"job.{status}", Job(job_id=f"j{random_.randrange(2000)}", backend=f"b{random_.randrange(3)}")
    return Event(
        id=f"{number:016x}", source="qml://h/a/0", type=type_name(name), time=START + number, partitionkey="iris",
        project="iris", context=Context(runid=f"r{random_.randrange(20)}", step=number), data=data,
    )  # fmt: skip


def content(folder: Path) -> dict[str, list[tuple[object, ...]]]:
    connection = sqlite3.connect(folder / "views.sqlite")
    found = {
        name: sorted(connection.execute(f"SELECT * FROM {name}").fetchall())  # noqa: S608 - our names
        for name in [*(table.name for table in TABLES), "points", "sources", "positions"]
    }
    connection.close()
    return found


def finish(log: SqliteLog, folder: Path) -> None:
    views = Views(folder, log, 30 * DAY, no_listener)
    follower = Follower(log, [views.seat])
    while follower.step():
        pass
    views.close()


def test_killed_views_show_in_the_end_what_the_log_says(tmp_path: Path) -> None:
    chance = random.Random(7)
    clock = ManualClock(START)
    log = SqliteLog(tmp_path / "store.sqlite", clock=clock)
    for at in range(0, EVENTS, 500):
        clock.advance_seconds(1)
        log.append([make_event(number, chance) for number in range(at, at + 500)])
    killed, fresh = tmp_path / "killed", tmp_path / "fresh"
    interrupted = 0
    for _ in range(KILLS):
        command = [sys.executable, "-c", SCRIPT, str(tmp_path / "store.sqlite"), str(killed)]
        child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        time.sleep(chance.uniform(0.01, 0.08))  # the moment of the kill is what is tried, not a wait for something
        child.kill()
        interrupted += "done" not in child.communicate()[0]
    assert interrupted >= 2
    finish(log, killed)
    finish(log, fresh)
    log.close()
    assert content(killed) == content(fresh)
