"""The worker process: partitions of Kafka around it, its own health and metrics, and how it ends."""
