"""Cases: every check with every subject that is installed."""

import importlib.metadata
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from quantum_mlops.testing.conformance.checks import CHECKS, Check
from quantum_mlops.testing.conformance.subject import Subject

GROUP = "quantum_mlops.conformance"


@dataclass(frozen=True)
class Case:
    """One check of one subject. Calling it raises AssertionError where the instrumentation does not conform."""

    subject: Subject
    check: Check

    def __call__(self, folder: Path) -> None:
        """Run it; `folder` is empty."""
        self.check(self.subject, folder)

    def __str__(self) -> str:
        return f"{self.subject.name}-{self.check.__name__.removeprefix('check_')}"


def cases(instrumentation: str | None = None) -> list[Case]:
    """Return the cases of one instrumentation, or of all that are installed. Loads their SDKs, and no others."""
    return cases_of(installed_subjects(instrumentation))


def cases_of(subjects: Iterable[Subject]) -> list[Case]:
    """Return every check of each subject."""
    return [Case(subject, check) for subject in subjects for check in CHECKS]


def installed_subjects(instrumentation: str | None = None) -> list[Subject]:
    """Return the subjects that the entry points name; each is a function that returns subjects.

    An entry point has the name of its instrumentation; with `instrumentation` no other is loaded.
    """
    found: list[Subject] = []
    for point in sorted(importlib.metadata.entry_points(group=GROUP), key=lambda point: point.name):
        if instrumentation in {None, point.name}:
            load: Callable[[], Iterable[Subject]] = point.load()
            found += load()
    return found
