"""Every error that quantum-mlops raises on purpose, as one tree.

    QuantumMlopsError
    ├── UserError                a person's mistake: printed as one line, exit code 2
    │   ├── ConfigError          the configuration file or environment overlay is wrong
    │   └── MissingExtraError    an optional dependency is not installed
    ├── DecodeError              bytes that are no event; carries the bytes and the reason
    │   └── FrameError           bytes that are no spool frame
    ├── EventTooLargeError       over the 64 KiB limit of one event
    ├── LogError                 the log refused or failed
    │   ├── LogFencedError       another process took over what this one wrote
    │   ├── LogLockedError       another process already writes this log
    │   └── LogVersionError      written by a newer version of quantum-mlops
    ├── StateTooNewError         a checkpointed state of a newer processor version
    └── DeliveryError            a receiver did not take a notification, or a service events
        ├── PermanentError       sending it again cannot help
        └── RetryableError       may succeed later; carries `retry_after_seconds`

Whether sending again can help is decided where the failure happens (`PermanentError` or
`RetryableError`) and acted on in one place: the dispatcher's outbox for notifications, the shipper for events.
"""


class QuantumMlopsError(Exception):
    """Root of the tree."""


class UserError(QuantumMlopsError):
    """A person's mistake. The message names the place and the mend; no traceback is shown."""


class ConfigError(UserError):
    """The configuration is wrong; the message holds the path of the key."""


class MissingExtraError(UserError):
    """An optional dependency is missing; the message holds the command that installs it."""

    def __init__(self, feature: str, extra: str) -> None:
        super().__init__(f"{feature} needs an extra: pip install 'quantum-mlops[{extra}]'")
        self.extra = extra


class DecodeError(QuantumMlopsError):
    """Bytes that are no event. Never lost: the bytes travel with the reason to the dead letters."""

    def __init__(self, reason: str, data: bytes) -> None:
        super().__init__(reason)
        self.reason = reason
        self.data = data


class FrameError(DecodeError):
    """Bytes in a spool segment that are no whole, intact frame."""


class EventTooLargeError(QuantumMlopsError):
    """An event over the size limit of the contract (64 KiB of CloudEvents JSON)."""

    def __init__(self, size_bytes: int, limit_bytes: int) -> None:
        super().__init__(f"event of {size_bytes} bytes is over the limit of {limit_bytes} bytes")
        self.size_bytes = size_bytes
        self.limit_bytes = limit_bytes


class LogError(QuantumMlopsError):
    """The log refused or failed."""


class LogLockedError(LogError):
    """Another process already writes this log; it has one writer."""


class LogFencedError(LogError):
    """Another process took this writer's place; nothing of the refused write is in the log."""


class LogVersionError(LogError):
    """The store was written by a newer version of quantum-mlops."""


class StateTooNewError(QuantumMlopsError):
    """A checkpointed state has a newer version than this processor knows."""


class DeliveryError(QuantumMlopsError):
    """A receiver did not take a notification, or a service did not take events."""


class PermanentError(DeliveryError):
    """Sending it again cannot help (bad address, refused payload, revoked token)."""


class RetryableError(DeliveryError):
    """Sending it again may help; the receiver may have said when."""

    def __init__(self, reason: str, retry_after_seconds: float | None = None) -> None:
        super().__init__(reason)
        self.retry_after_seconds = retry_after_seconds
