"""The spool: append-only segment files between instrumented code and the log."""
