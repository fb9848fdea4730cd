"""Positions: where in the one order of all steps of a partition a state or a commit stands.

A step is a switch of rules, a timer of one series, or the event itself. All switches and timers that
are due by an event's time come before it, in the order (time, switch before timer, key). A position
names the last step done; it is never a count, so it means the same after a crash at any place.
"""

SWITCH, TIMER, EVENT = 0, 1, 2

Position = tuple[int, int, int, tuple[int | str, ...]]
"""(offset, time, kind, key): `kind` is SWITCH, TIMER or EVENT; `key` is (effective, source, id) of the
config, (processor, partitionkey, key) of the series, or ()."""


def next_offset(position: Position) -> int:
    """Return the offset of the record that the step after `position` belongs to.

    >>> next_offset((7, 100, EVENT, ())), next_offset((7, 90, TIMER, ("drift", "iris", "k")))
    (8, 7)
    """
    return position[0] + 1 if position[2] == EVENT else position[0]
