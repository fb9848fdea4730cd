"""Why a job failed, in the shape of events."""

from quantum_mlops.events import Failure
from quantum_mlops.sdk.redaction import message_of

_MAX_LABEL = 512


def failure_of(error: BaseException) -> Failure:
    """Return the type and message of an exception, cut to the contract's lengths and without secrets. Never raises."""
    return Failure(code=type(error).__name__[:_MAX_LABEL], message=message_of(error))
