"""Kafka as a home of the log: one IO thread with aiokafka under a face that blocks."""
