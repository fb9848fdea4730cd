"""Routes: the series that an event touches, in the order in which they take it.

Most events are metrics and jobs, whose series follow from few of their attributes: such a route is kept, so that
the next event like it asks no processor and looks nothing up.
"""

from collections.abc import Hashable
from typing import TYPE_CHECKING, Any

from qml_processors.runner import failure
from qml_processors.runner.derive import OutputError
from qml_processors.runner.series import Series, Slot
from quantum_mlops.events import Event, Job

if TYPE_CHECKING:
    from qml_processors.runner.partition import Partition

Route = list[Series]
_KEPT = 50_000


class Audience:
    """The slots that take one class of data, and the kept routes by place; None: none is kept."""

    __slots__ = ("kept", "slots")

    def __init__(self, slots: list[Slot], kind: type[Any]) -> None:
        self.slots = [slot for slot in slots if slot.takes is None or kind in slot.takes]
        steady = bool(self.slots) and all(kind in slot.by_run for slot in self.slots)
        self.kept: dict[Hashable, Route] | None = {} if steady else None


class Routes:
    """The routes of one partition. Kept ones hold series: who removes a series tells `drop`."""

    def __init__(self, slots: list[Slot]) -> None:
        self._slots = slots
        self._audiences: dict[type[Any], Audience] = {}

    def find(self, partition: "Partition", event: Event) -> Route:
        """Return the route of an event; a slot whose `keys` raises dead-letters it and is left out."""
        kind = event.data.__class__
        audience = self._audiences.get(kind)
        if audience is None:
            audience = self._audiences[kind] = Audience(self._slots, kind)
        kept = audience.kept
        if kept is None:
            return _trace(partition, audience.slots, event)[0]
        place: Hashable
        if kind is Job:
            data: Any = event.data
            if data.cost is not None or data.session_id is not None:
                return _trace(partition, audience.slots, event)[0]
            place = (event.type, data.backend, data.role, event.context.runid, event.partitionkey, event.project)
        else:
            place = (event.context.runid, event.partitionkey, event.project)
        route = kept.get(place)
        if route is None:
            route, sound = _trace(partition, audience.slots, event)
            if sound and route:
                _keep(kept, place, route)
        return route

    def drop(self, series: Series) -> None:
        """Forget the kept routes, where one may hold this series."""
        if series.routed:
            for audience in self._audiences.values():
                if audience.kept:
                    audience.kept.clear()


def _keep(kept: dict[Hashable, Route], place: Hashable, route: Route) -> None:
    if len(kept) >= _KEPT:
        kept.clear()
    kept[place] = route
    for series in route:
        series.routed = True


def _trace(partition: "Partition", slots: list[Slot], event: Event) -> tuple[Route, bool]:
    """Ask each slot for its keys; returns the route, and whether every slot answered."""
    partitionkey = event.partitionkey
    route: Route = []
    sound = True
    for slot in slots:
        try:
            keys = slot.keys(event)
            if (many := len(keys)) > 1 and (keys[0] == keys[1] or (many > 2 and len(set(keys)) < many)):  # noqa: PLR2004 - mostly two
                raise OutputError(f"keys repeat: {keys}")  # noqa: TRY301 - as if `keys` had raised
        except Exception as error:  # noqa: BLE001 - any bug of a plugin; counted and dead-lettered
            failure.refuse(partition, slot, event, error)
            sound = False
            continue
        found = slot.series
        for key in keys:
            series = found.get((partitionkey, key))
            if series is None:
                series = found[partitionkey, key] = Series(slot, partitionkey, key)
            route.append(series)
    return route, sound
