"""Which calibration was in force when a job ran, and its event when it is a new one.

In the caller's thread `Backends.in_force` only takes a token: an object that the backend keeps until its values
change. Everything that reads values happens in the writer's thread. Nothing asks a provider's server: a backend's
cached properties or its Target are what the user's own transpiler sees.
"""

import weakref
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from qml_producers.calibrations.announcements import Announcements
from qml_producers.calibrations.ibm import columns_of_properties
from qml_producers.calibrations.target import columns_of_target
from quantum_mlops.calibrations import calibration_id, footprint_id
from quantum_mlops.events import CalibrationColumn, CalibrationSnapshot

_KEPT = 16
_MAX_LABEL = 512


@dataclass(frozen=True)
class Calibration:
    """The values of one backend at one time; no columns where the backend publishes none."""

    columns: list[CalibrationColumn]
    calibration_id: str
    _footprints: dict[tuple[tuple[int, ...], tuple[tuple[int, int], ...]], str] = field(default_factory=dict)

    def restricted_id(self, qubits: list[int], edges: list[tuple[int, int]]) -> str:
        """Return the calibration id of these qubits and edges."""
        key = (tuple(qubits), tuple(edges))
        found = self._footprints.get(key)
        if found is None:
            found = self._footprints[key] = footprint_id(self.columns, qubits, edges)
        return found


class Backend:
    """A backend object of the user, and how to see cheaply whether its calibration changed."""

    def __init__(self, backend: Any, *, stable_target: bool, forget: Callable[[Any], None]) -> None:
        self._backend = weakref.ref(backend, forget)
        self.name = str(backend.name)[:_MAX_LABEL]
        self.provider = type(backend).__module__.partition(".")[0]
        self._stable_target = stable_target
        self._stable_properties = False

    def is_of(self, backend: Any) -> bool:
        """Tell whether this describes `backend` and not one that had the same address before."""
        return self._backend() is backend

    def token(self, backend: Any) -> Any:
        """Return the object that stands for the calibration in force; None where none can be told cheaply."""
        if self._stable_properties:
            return backend.properties()
        return backend.target if self._stable_target else None

    def token_now(self) -> Any:
        """Return the token in force now; None where none can be told, or the backend object is gone."""
        backend = self._backend()
        return None if backend is None else self.token(backend)

    def read(self, token: Any) -> list[CalibrationColumn]:
        """Return the columns of a token. For the writer's thread."""
        if hasattr(token, "to_dict"):
            return columns_of_properties(token.to_dict())
        backend = self._backend()
        if backend is None:
            return [] if token is None else columns_of_target(token)
        if callable(getattr(backend, "properties", None)):
            properties = backend.properties()
            if properties is None:  # a simulator without a device
                return []
            self._stable_properties = properties is backend.properties()
            if token is None or backend.target is token:
                return columns_of_properties(properties.to_dict())
        return columns_of_target(backend.target if token is None else token)


class RemoteBackend(Backend):
    """A backend of IBM's cloud, whose attributes ask its server: only what it has in its cache is read.

    The token is its cached properties. They are in force as far as the user's own transpiler knows, and are another
    object as soon as the user refreshes them.
    """

    def __init__(self, backend: Any, *, forget: Callable[[Any], None]) -> None:
        super().__init__(backend, stable_target=False, forget=forget)
        self.provider = "ibm"

    def token_now(self) -> Any:
        """Return the token of the backend object as it is now; None where that is gone."""
        backend = self._backend()
        return None if backend is None else self.token(backend)

    def token(self, backend: Any) -> Any:
        """Return the properties that the backend object holds; None where it has asked for none yet."""
        return vars(backend).get("_properties")

    def read(self, token: Any) -> list[CalibrationColumn]:
        """Return the columns of a token; without one there are none."""
        return [] if token is None else columns_of_properties(token.to_dict())


class Backends:
    """All backends of the process, and what was said of each."""

    def __init__(self) -> None:
        self._known: dict[int, Backend] = {}
        self._stable_targets: dict[type, bool] = {}
        self._read: OrderedDict[tuple[int, int], tuple[Any, Backend, Calibration]] = OrderedDict()
        self._announcements = Announcements()

    def describe(self, backend: Any) -> Backend:
        """Return what is known of a backend object. Any thread."""
        key = id(backend)
        known = self._known.get(key)
        if known is None or not known.is_of(backend):

            def forget(_: Any) -> None:
                self._known.pop(key, None)

            if _is_remote(type(backend)):
                remote = self._known[key] = RemoteBackend(backend, forget=forget)
                return remote
            stable = self._stable_targets.get(type(backend))
            if stable is None:  # once per class: some build a Target for 0.4 ms at each look
                target = getattr(backend, "target", None)
                stable = self._stable_targets[type(backend)] = target is not None and target is backend.target
            known = self._known[key] = Backend(backend, stable_target=stable, forget=forget)
        return known

    def calibration(self, backend: Backend, token: Any) -> Calibration:
        """Return the calibration of a token. For the writer's thread, as all below."""
        key = (id(backend), id(token))
        kept = self._read.get(key)
        if kept is None:
            columns = backend.read(token)
            kept = (token, backend, Calibration(columns, calibration_id(columns) if columns else ""))
            self._read[key] = kept  # keeps token and backend alive, so that no other takes their addresses
            if len(self._read) > _KEPT:
                self._read.popitem(last=False)
        return kept[2]

    def announce(self, backend: Backend, calibration: Calibration) -> Iterator[CalibrationSnapshot]:
        """Yield the events of a calibration, in parts, unless it was the last one announced of this backend."""
        return self._announcements.tell(backend.name, backend.provider, calibration.columns, calibration.calibration_id)


def _is_remote(kind: type) -> bool:
    return any(base.__module__ == "qiskit_ibm_runtime.ibm_backend" for base in kind.__mro__)
