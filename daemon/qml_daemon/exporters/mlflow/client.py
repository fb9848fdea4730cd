"""The one door to MLflow: its client, its errors, its settings. Imported where a client is made, nowhere else.

MLflow retries for minutes by itself; here a call is tried once, since the log is the queue.
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from qml_daemon.exporters.mlflow.door import UnreachableError
from qml_daemon.exporters.mlflow.entries import Batch, End, Remote, Target
from qml_daemon.exporters.mlflow.mapping import BACKEND_TAG
from qml_daemon.exporters.mlflow.names import MAX_TAG, cut, experiment_name, is_run_id
from quantum_mlops.config.address import sqlite_path
from quantum_mlops.errors import MissingExtraError, PermanentError, RetryableError

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run as MlflowRun
    from mlflow.exceptions import MlflowException

SETTINGS = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_DISABLE_TELEMETRY": "true",
}
"""MLflow's own, read at its import: this process speaks to the tracking server only."""
KEY_TAG = "qml.key"
_MISSING = {"RESOURCE_DOES_NOT_EXIST", "NOT_FOUND"}
_NEVER = _MISSING | {
    "INVALID_PARAMETER_VALUE", "BAD_REQUEST", "PERMISSION_DENIED", "INVALID_STATE",
}  # fmt: skip
# RESOURCE_ALREADY_EXISTS is not among them: another exporter made the experiment just now, the next try finds it.
_MAX_REASON = 300
_T = TypeVar("_T")


class Client:
    """A `Door` to the tracking server, or the SQLite store, at an address. Opens nothing before the first call.

    Raises:
        MissingExtraError: MLflow, or what it needs for SQLite, is not installed.

    """

    def __init__(self, address: str) -> None:
        os.environ.update(SETTINGS)
        try:
            import mlflow.entities  # noqa: PLC0415 - 160 MiB, in the exporter's process only

            if address.startswith("sqlite:"):
                import alembic  # noqa: F401, PLC0415 - mlflow-skinny comes without
                import sqlalchemy  # noqa: F401, PLC0415
        except ImportError as error:
            raise MissingExtraError("the MLflow exporter", "mlflow") from error
        self._mlflow = mlflow
        self._address = address
        self._client: MlflowClient | None = None
        self._experiments: dict[str, str] = {}

    def read_run(self, run_id: str) -> Remote | None:
        """See `Door.read_run`."""
        if not is_run_id(run_id):  # the server would call it a mistake, not an absence
            return None
        try:
            return self._ask(lambda client: _remote(client.get_run(run_id)))
        except _AbsentError:
            return None

    def find_run(self, target: Target) -> Remote | None:
        """See `Door.find_run`."""
        experiment = self._experiment(target.project)
        filter_text = f"tags.`{KEY_TAG}` = '{target.key}'"
        everything = self._mlflow.entities.ViewType.ALL
        found = self._ask(lambda client: client.search_runs([experiment], filter_text, everything, 1))
        return _remote(found[0]) if found else None

    def create_run(self, target: Target, started_ms: int) -> Remote:
        """See `Door.create_run`."""
        experiment = self._experiment(target.project)
        tags = {KEY_TAG: target.key, "qml.project": target.project, "mlflow.source.name": "quantum-mlops"}
        tags["qml.run" if target.kind == "run" else "qml.series"] = target.name
        if target.asked:
            tags["qml.mlflow_run_asked"] = target.asked
        tags = {name: cut(text, MAX_TAG) for name, text in tags.items()}
        name = cut(target.name, MAX_TAG)
        return _remote(self._ask(lambda client: client.create_run(experiment, started_ms, tags, name)))

    def write(self, run_id: str, batch: Batch) -> None:
        """See `Door.write`."""
        kinds = self._mlflow.entities
        metrics = [kinds.Metric(one.name, one.value, one.time_ms, one.step) for one in batch.metrics]
        params = [kinds.Param(name, value) for name, value in batch.params.items()]
        tags = [kinds.RunTag(name, value) for name, value in batch.tags.items()]
        self._ask(lambda client: client.log_batch(run_id, metrics, params, tags))

    def end(self, run_id: str, end: End) -> None:
        """See `Door.end`."""
        self._ask(lambda client: client.set_terminated(run_id, end.status, end.time_ms))

    def _experiment(self, project: str) -> str:
        """Return the id of the project's experiment, made where there is none."""
        name = experiment_name(project)
        if name in self._experiments:
            return self._experiments[name]
        found = self._ask(lambda client: client.get_experiment_by_name(name))
        if found is None:
            made: str = self._ask(lambda client: client.create_experiment(name))
        elif found.lifecycle_stage == "deleted":
            raise PermanentError(f"the experiment {name!r} is deleted: restore it, and export again")
        else:
            made = found.experiment_id
        self._experiments[name] = made
        return made

    def _ask(self, question: Callable[["MlflowClient"], _T]) -> _T:
        try:
            if self._client is None:
                self._client = self._mlflow.MlflowClient(self._address)
            return question(self._client)
        except self._mlflow.exceptions.MlflowException as error:
            raise _translate(error) from error
        except Exception as error:  # MLflow lets errors of requests and SQLAlchemy through; the caller counts them
            raise RetryableError(f"{type(error).__name__}: {error}"[:_MAX_REASON]) from error


class _AbsentError(PermanentError):
    """The server has nothing of that id."""


def choose_folder(address: str, state_dir: Path) -> Path:
    """Return the folder to work in: MLflow makes `mlruns` where it runs, which is right beside a SQLite store."""
    if not address.startswith("sqlite:"):
        return state_dir
    folder = Path(sqlite_path(address)).parent
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _remote(run: "MlflowRun") -> Remote:
    data = run.data
    return Remote(
        run.info.run_id, run.info.lifecycle_stage == "deleted", dict(data.params), data.tags.get(BACKEND_TAG, "")
    )


def _translate(error: "MlflowException") -> PermanentError | RetryableError:
    """Decide once, here, whether sending again can help."""
    text = " ".join(str(error).split())
    reason = f"{error.error_code}: {text}"[:_MAX_REASON]
    if error.error_code in _MISSING:
        return _AbsentError(reason)
    if error.error_code in _NEVER:
        return PermanentError(reason)
    silent = "failed with exception" in text or "failed with timeout" in text
    if silent and "error responses" not in text:
        return UnreachableError(reason)
    return RetryableError(reason)
