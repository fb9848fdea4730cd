"""A real Apache Kafka for tests, the demo and measurements: one node, from Maven's jars, without Docker."""
