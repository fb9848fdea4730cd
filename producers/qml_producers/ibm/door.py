"""The entry point `quantum_mlops.backends`: ibm. Jobs and calibrations of one account of IBM Quantum."""

import importlib.util
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self

from qml_producers.calibrations.ibm import columns_of_properties
from qml_producers.ibm.costs import cost_of_job
from qml_producers.ibm.link import Link
from qml_producers.ibm.statuses import TIME_LIMIT_CODE, failure_code, status_of, text_of
from qml_producers.ibm.usage import Usage, instant, read_metrics
from qml_producers.observing.door import Asked, Sight
from qml_producers.prices import Prices, open_for_host
from quantum_mlops.errors import ConfigError, DeliveryError
from quantum_mlops.events import CalibrationColumn, Failure, ProviderTimes
from quantum_mlops.events.job_status import TERMINAL_STATUSES

if TYPE_CHECKING:
    from qml_producers.ibm.account import Account

_MAX_LABEL = 512
_MAX_MESSAGE = 2000
_STARTED = frozenset({"running", "completed", "failed", "cancelled"})


class IbmDoor:
    """See `qml_producers.observing.door.Door`. For one thread."""

    provider = "ibm"

    def __init__(self, account: "Account", link: Link, prices: Prices) -> None:
        self._account = account
        self._link = link
        self._prices = prices

    @classmethod
    def open(cls, environ: Mapping[str, str], timeout_seconds: float) -> Self:
        """Return the door with QISKIT_IBM_TOKEN, _INSTANCE, _CHANNEL and _URL, else with the account that was saved.

        Connects at the first question.

        Raises:
            ConfigError: there is no account, or qiskit-ibm-runtime is not installed.

        """
        if importlib.util.find_spec("qiskit_ibm_runtime") is None:
            raise ConfigError('ibm: qiskit-ibm-runtime is not installed; pip install "quantum-mlops[ibm]"')
        from qml_producers.ibm.account import Account  # noqa: PLC0415 - loads the SDK

        if not environ.get("QISKIT_IBM_TOKEN") and not Account.is_saved():
            raise ConfigError(
                "ibm: no account; set QISKIT_IBM_TOKEN (an API key) and QISKIT_IBM_INSTANCE (its CRN), "
                "or save one with QiskitRuntimeService.save_account"
            )
        link = Link(cls.provider, timeout_seconds)
        return cls(Account(environ, timeout_seconds), link, open_for_host(environ))

    def look(self, job: Asked) -> Sight:
        """Return what the service says of a job: of its usage once it runs, of the queue while it waits."""
        return self._link.call(lambda: self._look(job))

    def calibration(self, backend: str) -> Sequence[CalibrationColumn]:
        """Return the values in force now; empty for a simulator."""
        document = self._link.call(lambda: self._account.properties(backend))
        return [] if document is None else columns_of_properties(document)

    def close(self) -> None:
        """Close the connections; idempotent."""
        self._account.close()
        self._link.close()

    def _look(self, job: Asked) -> Sight:
        document = self._account.job(job.job_id)
        state = document.get("state")
        state = state if isinstance(state, Mapping) else {}
        word = state.get("status") or document.get("status") or ""
        code = state.get("reason_code") or state.get("reasonCode")
        status = "failed" if status_of(word) == "cancelled" and code == TIME_LIMIT_CODE else status_of(word)
        usage = read_metrics(self._account.metrics(job.job_id)) if status in _STARTED else _unstarted(document)
        foretold = _number(document.get("estimated_running_time_seconds"))
        session = document.get("session_id")
        charged = usage.qpu_seconds if usage.is_final else None
        cost = cost_of_job(
            self._prices,
            status,
            backend=job.backend,
            session_id=session if isinstance(session, str) else None,
            seconds=charged if status in TERMINAL_STATUSES else foretold,
            times=usage.times,
        )
        return Sight(
            status=status,
            status_text=text_of(word)[:_MAX_LABEL] if status == "unknown" else None,
            times=usage.times,
            qpu_seconds=usage.qpu_seconds,
            queue_seconds=usage.queue_seconds,
            pending_jobs=self._pending(job, document) if status == "queued" else None,
            predicted_execution_seconds=foretold,
            cost=cost,
            failure=_failure(word, code, state) if status == "failed" else None,
            is_billed=usage.is_final,
        )

    def _pending(self, job: Asked, document: Mapping[str, Any]) -> int | None:
        backend = document.get("backend") or job.backend
        try:
            return self._account.pending_jobs(backend) if isinstance(backend, str) else None
        except DeliveryError:  # the queue does not stand in the way of the status
            return None


def _unstarted(document: Mapping[str, Any]) -> Usage:
    created = instant(document.get("created"))
    return Usage(None if created is None else ProviderTimes(created=created), None, None, is_final=False)


def _failure(word: Any, code: Any, state: Mapping[str, Any]) -> Failure:
    reason = str(state.get("reason") or text_of(word))
    said = f"Error code {code}; {reason}" if code else reason  # as the SDK says it
    return Failure(code=failure_code(word, code), message=said[:_MAX_MESSAGE])


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) and value >= 0 else None
