"""Kafka for the operator: its topics made and checked, who owns what, how far it is, logs carried over and back."""
