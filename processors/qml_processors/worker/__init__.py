"""The owner of Kafka partitions: an engine only delivers; one transaction a batch holds all that follows."""
