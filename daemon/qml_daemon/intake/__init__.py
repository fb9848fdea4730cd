"""The intake: what instrumented processes spooled goes onto the log, exactly once."""
