"""Users who track elsewhere than the exporter sends to: told, never guessed right."""

from qml_daemon.exporters.mlflow.entries import Target
from quantum_mlops.config.address import strip_address
from quantum_mlops.events import Event, RunStarted
from quantum_mlops.sdk.tracking import ADDRESS_TAG

MOST_NOTES = 10


class Mismatches:
    """What was seen since the start: addresses that differ from ours, MLflow runs that are not here."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._addresses: dict[str, str] = {}
        self._missing: dict[str, str] = {}

    def see(self, event: Event) -> None:
        """Compare the address that a run's start names."""
        if not isinstance(event.data, RunStarted):
            return
        theirs = strip_address(event.data.tags.get(ADDRESS_TAG, ""))
        if theirs and theirs != self._address:
            self._note(self._addresses, theirs, f"{event.project}/{event.context.runid or event.data.name}")

    def miss(self, target: Target) -> None:
        """Remember an MLflow run that users named and the server does not have."""
        self._note(self._missing, target.asked, f"{target.project}/{target.name}")

    def notes(self) -> list[str]:
        """Return one line each for people."""
        elsewhere = [
            f"run {run} tracks at {theirs}, the exporter sends to {self._address}: set MLFLOW_TRACKING_URI"
            " or exporters.mlflow.tracking_uri so that they agree, if they are not the same server"
            for theirs, run in self._addresses.items()
        ]
        missing = [
            f"run {run} names the MLflow run {asked}, which {self._address} does not have; it got a run of its own"
            for asked, run in self._missing.items()
        ]
        return elsewhere + missing

    @staticmethod
    def _note(notes: dict[str, str], key: str, run: str) -> None:
        if key in notes or len(notes) < MOST_NOTES:
            notes[key] = run
