"""Shipping: brings a spool's events to a service or to Kafka, each kept here until it is acknowledged there."""
