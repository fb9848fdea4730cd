"""The bridge: events that come over MQTT, on the same way into the log as those that come over HTTP."""
