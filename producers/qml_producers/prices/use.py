"""What is to be paid for: so many tasks, shots, seconds and gates on one device at one time."""

from datetime import datetime
from decimal import Decimal

from msgspec import Struct


class Use(Struct, frozen=True, kw_only=True):
    """A use of a device; what is not known is None, and a price that needs it gives no amount.

    `provider` and `device` are those of `Job.provider` and `Job.backend`. `at` (aware) chooses the price that was in
    force. `tasks` counts submissions that are billed as one, `executions` the circuit executions of all tasks and
    `shots` the shots of each of them. `seconds` are the billed seconds of all tasks together. `one_qubit_gates` and
    `two_qubit_gates` are summed over the executions, so that times `shots` they are gate-shots.
    """

    provider: str
    device: str
    at: datetime
    tasks: int = 1
    executions: int = 1
    shots: int | None = None
    seconds: Decimal | float | None = None
    one_qubit_gates: int | None = None
    two_qubit_gates: int | None = None
    error_mitigation: bool = False
