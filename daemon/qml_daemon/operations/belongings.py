"""Which files are ours: a state folder or a spool may lie in a folder that holds other things as well."""

from collections.abc import Iterator
from pathlib import Path

from qml_daemon.dead_letters.marks import FILE as LETTERS
from qml_daemon.places import OUTBOX, STATUS, STORE
from quantum_mlops.shipping.address import OUTGOING
from quantum_mlops.shipping.position import SHIPPING
from quantum_mlops.spool.segment import SUFFIX

_DRAFTS = (f".{STATUS}.*", f".{LETTERS}.*", ".follower.json.*")
STATE = (f"{STORE}*", f"{OUTBOX}*", "views.sqlite*", "exporter-*", "follower.*", STATUS, LETTERS, *_DRAFTS)
RESTORES = ("restore", ".restore", "before-restore-*")
SPOOL = (f"*{SUFFIX}", f".*{SUFFIX}", SHIPPING, f"{OUTGOING}*")


def find_ours(folder: Path, patterns: tuple[str, ...]) -> Iterator[Path]:
    """Yield what lies in `folder` and is ours, each once, sorted; nothing where there is no folder."""
    if folder.is_dir():
        yield from sorted({path for pattern in patterns for path in folder.glob(pattern)})
