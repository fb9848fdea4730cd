"""Shipping: brings a spool's events to a service by HTTP, each kept here until it is acknowledged there."""
