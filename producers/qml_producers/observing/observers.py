"""One observer for each recorder, made at its first use: its class may load an SDK."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

if TYPE_CHECKING:
    from quantum_mlops.sdk.recorder import Recorder


class _Observing(Protocol):
    @property
    def recorder(self) -> "Recorder": ...


O = TypeVar("O", bound=_Observing)  # noqa: E741 - the observer


class Observers(Generic[O]):
    """The observers of one instrumentation. Thread-safe; of two made at once one is kept.

    Args:
        make: returns the observer of a recorder.

    """

    def __init__(self, make: "Callable[[Recorder], O]") -> None:
        self._make = make
        self._made: dict[int, O] = {}

    def of(self, recorder: "Recorder") -> O:
        """Return the observer of a recorder."""
        known = self._made.get(id(recorder))
        if known is None or known.recorder is not recorder:
            known = self._made[id(recorder)] = self._make(recorder)
        return known
