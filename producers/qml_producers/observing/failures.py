"""Why a job failed, in the shape of events."""

from quantum_mlops.events import Failure

_MAX_LABEL = 512
_MAX_MESSAGE = 2000


def failure_of(error: BaseException) -> Failure:
    """Return the type and message of an exception, cut to the contract's lengths."""
    return Failure(code=type(error).__name__[:_MAX_LABEL], message=str(error)[:_MAX_MESSAGE])
