"""Shipping to an MQTT broker: each event one message of its project's topic. Loaded for such targets only."""
