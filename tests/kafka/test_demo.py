"""The main job through a real Kafka, by the real command: the worker that has the run is killed, the alert comes once."""

import asyncio
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.broker import delete_topics

COMMAND = Path(sys.executable).parent / "quantum-mlops"


async def _forget(bootstrap, folder):
    """Delete the topics that the demo made for itself."""
    prefix = re.search(r'topic_prefix = "([^"]+)"', (folder / "quantum-mlops.toml").read_text())[1]
    await delete_topics(bootstrap, prefix)


@pytest.mark.timeout(400)
def test_the_alert_comes_once_although_the_worker_that_has_the_run_is_killed(kafka, tmp_path):
    folder = tmp_path / "demo"
    environ = {name: value for name, value in os.environ.items() if not name.startswith("QML_")}
    command = [COMMAND, "demo", "--dir", str(folder), "--kafka", kafka]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=360, env=environ)
    asyncio.run(_forget(kafka, folder))
    assert done.returncode == 0, done.stdout + done.stderr
    killed = re.search(r"(worker-\d) \(pid \d+\) has the run; killed with SIGKILL", done.stdout)
    heir = re.search(r"(worker-\d) has its partitions after (\d+) s", done.stdout)
    assert killed is not None
    assert heir is not None
    assert killed[1] != heir[1]
    assert "It came once, although a worker was killed." in done.stdout.replace("\n", " ")
    assert "[RESOLVED]" in done.stdout
