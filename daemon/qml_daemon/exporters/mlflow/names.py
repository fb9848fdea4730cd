"""Names and values as MLflow takes them.

A name that has to be changed ends in `:` and six hex digits of the original's hash, so that two names
never become one, in whatever order they come. A name that already ends so is changed too.

Source: mlflow.utils.validation (names of metrics, parameters and tags; lengths), MLflow 3.17.
"""

import hashlib
import posixpath
import re

MAX_NAME = 250
MAX_PARAM = 6000
MAX_TAG = 8000
MAX_EXPERIMENT = 500
_FOREIGN = re.compile(r"[^\w.\- :/]+")
_RUN_ID = re.compile(r"[a-zA-Z0-9][\w\-]{0,255}")
_CHANGED = re.compile(r":[0-9a-f]{6}\Z")


def mlflow_name(name: str) -> str:
    """Return the name of a metric, parameter or tag.

    >>> mlflow_name("loss"), mlflow_name("val/accuracy")
    ('loss', 'val/accuracy')
    >>> mlflow_name("qubit[3]")
    'qubit_3:e45b30'
    """
    if len(name) <= MAX_NAME and not _FOREIGN.search(name) and _is_plain_path(name) and not _CHANGED.search(name):
        return name
    parts = (_FOREIGN.sub("_", part).strip("_. ") for part in name.split("/"))
    stem = "/".join(part for part in parts if part)[: MAX_NAME - 7].rstrip("/") or "_"
    digits = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:6]
    return f"{stem}:{digits}"


def experiment_name(project: str) -> str:
    """Return the experiment of a project: of its own name, as far as MLflow takes it."""
    return cut(project, MAX_EXPERIMENT).strip() or "default"


def is_run_id(text: str) -> bool:
    """Tell whether MLflow would look for a run of that id at all.

    >>> is_run_id("0123abcd"), is_run_id("../x")
    (True, False)
    """
    return _RUN_ID.fullmatch(text) is not None


def cut(text: str, most: int) -> str:
    """Return a text of at most `most` characters that any database stores.

    >>> cut("abcdef", 4)
    'abc…'
    """
    clean = text.replace("\x00", "").encode(errors="replace").decode()
    return clean if len(clean) <= most else clean[: most - 1] + "…"


def _is_plain_path(name: str) -> bool:
    plain = posixpath.normpath(name)
    return bool(name.strip()) and plain == name and plain != "." and not plain.startswith(("..", "/"))
