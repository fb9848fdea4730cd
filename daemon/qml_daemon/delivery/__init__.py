"""From notifications to receivers: the durable outbox, its lanes, and the threads that send."""
