"""PennyLane: every execution of every device as a job, and every step of its optimizers."""
