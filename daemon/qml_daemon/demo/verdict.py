"""Whether the demo went as it must: an alert where the device went bad, silence where it did not."""

from msgspec import Struct

from qml_daemon.demo.watcher import Seen
from quantum_mlops.config.rules import DriftRule
from quantum_mlops.events import Event, FindingChanged

MINIMUM_EFFECT = DriftRule().minimum_effect
CLEAR = 1.2
"""An exact effect between the minimum effect and this multiple of it may be found or not: both are right."""


class Verdict(Struct, frozen=True):
    """`is_right` decides the exit code; `text` says it to a person."""

    is_right: bool
    text: str


def judge(seen: Seen, effect: float | None) -> Verdict:  # noqa: PLR0911 - one sentence a case
    """Return the verdict. `effect` is the exact Hellinger distance of the change, None where nothing changed."""
    opened = seen.opened()
    changed = seen.first_changed()
    early = [one for one in opened if changed is None or opening_canary(seen, one) < changed]
    if early:
        return Verdict(is_right=False, text="An alert came although nothing had changed: a false alarm.")
    if effect is None:
        return Verdict(is_right=True, text="Nothing changed, and no alert came.")
    size = f"the change moves the canary by {effect:.3f} (exact Hellinger distance; minimum effect {MINIMUM_EFFECT:g})"
    if not opened:
        if effect <= MINIMUM_EFFECT:
            return Verdict(is_right=True, text=f"No alert came, and none was due: {size}.")
        if effect <= MINIMUM_EFFECT * CLEAR:
            return Verdict(is_right=True, text=f"No alert came; {size}, too near to be called.")
        return Verdict(is_right=False, text=f"No alert came, and one was due: {size}.")
    if effect <= MINIMUM_EFFECT:
        return Verdict(is_right=False, text=f"An alert came, and none was due: {size}.")
    if not seen.told("FIRING"):
        return Verdict(is_right=False, text="The change was found, but its message did not arrive.")
    if seen.closed() and not seen.told("RESOLVED"):
        return Verdict(is_right=False, text="The recovery was found, but its message did not arrive.")
    if not seen.closed():
        return Verdict(is_right=True, text=f"The alert came and is still firing: {size}.")
    return Verdict(is_right=True, text=f"The alert came, and was resolved after the recovery: {size}.")


def judge_once(seen: Seen, verdict: Verdict) -> Verdict:
    """Return the verdict where each finding opened once and was told once, although a worker was killed."""
    opened, told = seen.opened(), seen.told("FIRING")
    ids = {one.data.finding_id for one in opened if isinstance(one.data, FindingChanged)}
    if len(ids) < len(opened):
        return Verdict(is_right=False, text=f"{len(ids)} findings were opened {len(opened)} times.")
    if len(told) > len(opened):
        return Verdict(is_right=False, text=f"{len(opened)} findings were told {len(told)} times.")
    times = " It came once, although a worker was killed." if len(told) == 1 else ""
    return Verdict(is_right=True, text=verdict.text + times)


def opening_canary(seen: Seen, opened: Event) -> int:
    """Return the index of the canary on which a finding opened: the last one of its evidence."""
    evidence = set(opened.data.evidence.events) if isinstance(opened.data, FindingChanged) else set()
    return max((index for index, one in enumerate(seen.canaries) if one.key in evidence), default=-1)
