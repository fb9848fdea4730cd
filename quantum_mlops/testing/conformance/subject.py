"""A subject: one way to run a job with an SDK, as a user would write it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Subject:
    """What the checks call, with and without the instrumentation.

    Attributes:
        name: what it is, for people: "aer sampler".
        instrumentation: the name of its entry point in `quantum_mlops.instrumentations`.
        packages: whose classes must be after `autolog` what they were before: "qiskit", "qiskit_aer".
        make: returns what the user holds (a primitive, a device), new and, where the SDK has one, with its seed set.
        submit: runs one job on that and returns it; of an SDK without jobs, the result.
        read: returns the result of a job as a value that compares with `==`.
        counts: returns the counts of a job by outcome instead, where the SDK has no seed; `read` then returns what
            does not depend on chance.
        jobs: how many jobs one `submit` is; 0 of what runs none, such as an optimizer.
        mistakes: calls that raise, in `submit` or in `read`, by what is wrong with them.
        submit_generator: as `submit`, with the circuits from a one-shot generator; None where the SDK takes none.
        forks: whether the SDK itself works in a forked child.

    """

    name: str
    instrumentation: str
    packages: tuple[str, ...]
    make: Callable[[], Any]
    submit: Callable[[Any], Any]
    read: Callable[[Any], Any]
    counts: Callable[[Any], Mapping[str, int]] | None = None
    jobs: int = 1
    mistakes: Mapping[str, Callable[[Any], object]] = field(default_factory=dict)
    submit_generator: Callable[[Any], Any] | None = None
    forks: bool = True

    def run(self) -> Any:
        """Run one job on something new; return what `read` says of it."""
        return self.read(self.submit(self.make()))
