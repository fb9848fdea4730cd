"""Shipping straight to Kafka: each event one record of the events' topic. Nothing here is loaded for other targets."""
