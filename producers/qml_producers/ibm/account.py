"""An account of IBM Quantum as its own SDK takes it: from the environment, else the one that was saved.

Of the SDK's service only its clients are used, one for each instance of the account: what they answer is the service's
own JSON. They are told not to try again, so that a rate limit comes back at once with the time to wait.
"""

from collections.abc import Callable, Mapping
from typing import Any

from qiskit_ibm_runtime import QiskitRuntimeService
from qiskit_ibm_runtime.accounts import AccountManager
from qiskit_ibm_runtime.api.auth import CloudAuth
from qiskit_ibm_runtime.api.exceptions import RequestsApiError
from qiskit_ibm_runtime.exceptions import IBMError, IBMNotAuthorizedError
from qiskit_ibm_runtime.utils.backend_decoder import properties_from_server_data

from quantum_mlops.errors import PermanentError, RetryableError

_NOT_FOUND = 404
_TOO_MANY = 429
_SERVER_ERROR = 500
_CONNECT_SECONDS = 5.0
_MAX_MESSAGE = 300


class Account:
    """One account. Every method asks the service and may block; for one thread."""

    def __init__(self, environ: Mapping[str, str], timeout_seconds: float) -> None:
        self._environ = environ
        self._timeout_seconds = timeout_seconds
        self._service: Any = None

    @staticmethod
    def is_saved() -> bool:
        """Tell whether the SDK finds an account by itself. Asks no server."""
        try:
            AccountManager.get()
        except Exception:  # noqa: BLE001 - whatever is wrong with the file: there is no account to be had
            return False
        return True

    def job(self, job_id: str) -> dict[str, Any]:
        """Return what GET /jobs/{id} says, without the inputs, from the instance that has the job."""
        return self._anywhere(lambda client: client.job_get(job_id))

    def metrics(self, job_id: str) -> dict[str, Any]:
        """Return what GET /jobs/{id}/metrics says."""
        return self._anywhere(lambda client: client.job_metadata(job_id))

    def pending_jobs(self, backend: str) -> int | None:
        """Return how many jobs wait for a backend."""
        pending = self._anywhere(lambda client: client.backend_status(backend)).get("pending_jobs")
        return pending if isinstance(pending, int) else None

    def properties(self, backend: str) -> Mapping[str, Any] | None:
        """Return the calibration in force now, as the SDK's own `properties(refresh=True)` tells it; None without."""
        document = self._anywhere(lambda client: client.backend_properties(backend))
        found: Mapping[str, Any] | None = properties_from_server_data(document).to_dict() if document else None
        return found

    def close(self) -> None:
        """Close the connections; idempotent."""
        for client in self._clients() if self._service is not None else ():
            client._session.close()  # noqa: SLF001
        self._service = None

    def _anywhere(self, ask: Callable[[Any], dict[str, Any]]) -> dict[str, Any]:
        """Ask the instances one after the other, until one knows what is asked for."""

        def each() -> dict[str, Any]:
            self._connected()
            clients = self._clients()
            for client in clients[:-1]:
                try:
                    return ask(client)
                except RequestsApiError as error:
                    if error.status_code != _NOT_FOUND:
                        raise
            return ask(clients[-1])

        found = self._ask(each)
        if not isinstance(found, dict):
            raise RetryableError("ibm: an answer that is no object")
        return found

    def _connected(self) -> Any:
        if self._service is None:
            said = {
                name: self._environ.get(f"QISKIT_IBM_{name.upper()}")
                for name in ("channel", "token", "url", "instance")
            }
            if not said["token"]:
                said["url"] = None  # the SDK takes it beside a token only
            token, instance = said["token"], said["instance"]
            auth = CloudAuth(token, instance) if token else AccountManager.get().get_auth_handler()
            _ask_for_token(auth.tm)  # with a key that is refused the SDK would wait a minute
            self._service = QiskitRuntimeService(**{name: value for name, value in said.items() if value})
            for client in self._clients():
                session = client._session  # noqa: SLF001 (the SDK has no option for it)
                session._timeout = (_CONNECT_SECONDS, self._timeout_seconds)  # noqa: SLF001
                for adapter in session.adapters.values():
                    adapter.max_retries = adapter.max_retries.new(total=0, status_forcelist=())
        return self._service

    def _clients(self) -> list[Any]:
        return list(self._service._get_api_clients().values())  # noqa: SLF001 (one for each instance)

    def _ask(self, ask: Callable[[], Any]) -> Any:
        try:
            try:
                return ask()
            except IBMNotAuthorizedError:
                self._renew_token()  # the one that the SDK keeps may have been revoked
                return ask()
        except RequestsApiError as error:
            raise _as_ours(error) from None
        except IBMError as error:
            raise PermanentError(f"ibm: {_said(error)}") from None
        except (PermanentError, RetryableError):
            raise
        except Exception as error:  # half an answer, a connection that broke: what it is, is said
            raise RetryableError(f"ibm: {type(error).__name__}: {_said(error)}") from error

    def _renew_token(self) -> None:
        """Have new tokens asked for."""
        for client in self._clients() if self._service is not None else ():
            tokens = client._session.auth.tm  # noqa: SLF001
            _ask_for_token(tokens)
            tokens.expire_time = tokens.refresh_time = tokens.request_time = 0


def _ask_for_token(tokens: Any) -> None:
    """Tell a wrong key from a token that cannot be had now. The SDK does not: it goes on without one."""
    try:
        tokens.request_token()
    except Exception as refusal:  # noqa: BLE001 - IAM says no, or cannot be reached
        code = getattr(refusal, "status_code", None)  # of ibm_cloud_sdk_core.ApiException
        if isinstance(code, int) and code < _SERVER_ERROR and code != _TOO_MANY:
            mend = "set QISKIT_IBM_TOKEN anew, or save the account"
            raise PermanentError(f"ibm: IAM refuses the API key; {mend}") from None
        raise RetryableError(f"ibm: no token from IAM: {type(refusal).__name__}") from None


def _as_ours(error: RequestsApiError) -> PermanentError | RetryableError:
    response, status = getattr(error.__cause__, "response", None), error.status_code
    message = f"ibm: {_said(error)}" if response is None else f"ibm: HTTP {status}{_reason(response)}"
    if status == _TOO_MANY or status >= _SERVER_ERROR or status < 0:
        headers = getattr(response, "headers", None) or {}
        return RetryableError(message, _seconds(headers.get("Retry-After")))
    return PermanentError(message)


def _reason(response: Any) -> str:
    try:
        return f": {response.json()['errors'][0]['message']}"[:_MAX_MESSAGE]
    except (ValueError, LookupError, TypeError):
        return ""


def _seconds(retry_after: str | None) -> float | None:
    try:
        return None if retry_after is None else max(0.0, float(retry_after))
    except ValueError:
        return None


def _said(error: Exception) -> str:
    return str(getattr(error, "message", None) or error)[:_MAX_MESSAGE]
