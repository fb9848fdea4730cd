"""Apache Kafka's jars: fetched once by Maven, pinned by the pom.xml beside this file.

`QML_KAFKA_LIBS` may name a folder that has them already.
"""

import fcntl
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

POM = Path(__file__).with_name("pom.xml")
LIBS = Path(__file__).resolve().parents[2] / "build" / "kafka" / "libs"
_CORE = "kafka_2.13-4.1.1.jar"
_PLUGIN = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies"


class BrokerError(Exception):
    """A broker cannot be had or does not come up; the message says what to do."""


def executable(name: str, package: str) -> str:
    """Return the path of a program.

    Raises:
        BrokerError: It is not installed; `package` is Debian's package that has it.
    """
    found = shutil.which(name)
    if found is None:
        raise BrokerError(f"`{name}` is missing; on Debian and Ubuntu: apt-get install {package}")
    return found


def obtainable() -> bool:
    """Whether a broker can be started here: Java, and the jars or Maven to fetch them."""
    if shutil.which("java") is None:
        return False
    return bool(os.environ.get("QML_KAFKA_LIBS")) or (LIBS / _CORE).is_file() or shutil.which("mvn") is not None


def jars() -> Path:
    """Return the folder of the jars; fetches them where they are not there yet (43 MB, once).

    Raises:
        BrokerError: Maven is missing or did not succeed, or `QML_KAFKA_LIBS` names a folder without them.
    """
    given = os.environ.get("QML_KAFKA_LIBS")
    if given:
        if not (Path(given) / _CORE).is_file():
            raise BrokerError(f"QML_KAFKA_LIBS={given}: no {_CORE} there")
        return Path(given)
    LIBS.parent.mkdir(parents=True, exist_ok=True)
    with (LIBS.parent / "libs.lock").open("w") as lock:  # two test processes fetch once
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (LIBS / _CORE).is_file():
            _fetch()
    return LIBS


def _fetch() -> None:
    mvn = executable("mvn", "maven")
    with tempfile.TemporaryDirectory(dir=LIBS.parent) as folder:
        target = Path(folder) / "libs"
        command = [mvn, "--batch-mode", "--quiet", "--strict-checksums", "--file", str(POM), _PLUGIN]
        done = subprocess.run(
            [*command, f"-DoutputDirectory={target}"], capture_output=True, text=True, check=False, timeout=900
        )
        if done.returncode or not (target / _CORE).is_file():
            said = "\n".join((done.stdout + done.stderr).strip().splitlines()[:8])
            raise BrokerError(f"Maven could not fetch Apache Kafka (exit code {done.returncode}):\n{said}")
        shutil.rmtree(LIBS, ignore_errors=True)
        target.rename(LIBS)
