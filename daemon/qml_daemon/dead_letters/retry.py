"""What of the dead letters can go back in: events that no processor has seen.

The runner knows an event by (partitionkey, source, id) from the moment it is admitted. What a processor raised on
was admitted, and the other processors have applied it: appended again it is dropped as a duplicate, or,
once the runner has forgotten it, counted twice by the others. So it is refused here. What never became an event
(bytes that a newer version reads, an event the door or the spool refused) was seen by nobody: it goes in.
"""

from collections.abc import Callable, Sequence

from msgspec import Struct, field

from qml_daemon.dead_letters.letter import Letter, LetterLog, parse_place
from qml_daemon.dead_letters.marks import Mark, Marks
from qml_daemon.ingest.batch import judge
from quantum_mlops.clock import Clock
from quantum_mlops.events import Event
from quantum_mlops.transports.base import Stream

_BATCH = 500

Door = Callable[[Sequence[Event]], dict[int, str]]
"""Takes events and returns why it refused which (by index); all others are stored when it returns."""


class Refused(Struct, frozen=True):
    """A letter that stays where it is, and why."""

    id: str
    reason: str


class Retried(Struct, kw_only=True):
    """What became of the letters."""

    taken: list[str] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)


class Judgement(Struct):
    """The letters that can go back in with their events, and those that stay."""

    waiting: list[tuple[Letter, Event]] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)

    def as_told(self) -> Retried:
        """Return what would become of them."""
        return Retried(taken=[letter.id for letter, _ in self.waiting], refused=self.refused)


def read_event(letter: Letter, now: int) -> Event | str:
    """Return the event that can go back in, or why there is none."""
    origin, _, processor = letter.origin.partition(":")
    if origin == "processor":
        return (
            f"the other processors have applied this event and {processor} has gone on without it; "
            "in the log again it would be dropped as a duplicate"
        )
    if origin == "runner":
        return "the process ended at this event again and again, and it is known: it would be dropped as a duplicate"
    judged = judge([letter.data], None, now)  # as the HTTP door does
    return judged.events[0] if judged.events else judged.rejected[0].reason


def judge_letters(letters: Sequence[Letter], now: int, *, again: bool = False) -> Judgement:
    """Say of each letter whether it can go back in. `again`: also those that are marked."""
    judged = Judgement()
    for letter in letters:
        found = read_event(letter, now)
        if letter.retried is not None and not again:
            judged.refused.append(Refused(letter.id, "was put back in before; --again does it once more"))
        elif isinstance(found, Event):
            judged.waiting.append((letter, found))
        else:
            judged.refused.append(Refused(letter.id, found))
    return judged


def put_back(judged: Judgement, door: Door, marks: Marks, clock: Clock) -> Retried:
    """Put letters back in at the end of the events, and mark them.

    Ended in the middle, what was taken may lack its mark; taken once more it is dropped as a duplicate.

    Raises:
        QuantumMlopsError: the door failed; what was taken before is marked.

    """
    done = Retried(refused=list(judged.refused))
    for at in range(0, len(judged.waiting), _BATCH):
        batch = judged.waiting[at : at + _BATCH]
        rejected = door([event for _, event in batch])
        taken = [letter for index, (letter, _) in enumerate(batch) if index not in rejected]
        marks.change({letter.id: Mark(letter.digest, clock()) for letter in taken})
        done.taken += [letter.id for letter in taken]
        done.refused += [Refused(batch[index][0].id, reason) for index, reason in sorted(rejected.items())]
    return done


def forget_gone(log: LetterLog, marks: Marks) -> None:
    """Forget the marks of letters that retention has removed."""
    starts = [log.start(Stream.DEAD_LETTERS, partition) for partition in range(log.partitions)]
    gone = [
        place
        for place in marks.read()
        if (at := parse_place(place)) is None or at[0] >= len(starts) or at[1] < starts[at[0]]
    ]
    if gone:
        marks.change(dict.fromkeys(gone))
