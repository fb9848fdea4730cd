"""Events that come over HTTP: the door and the inbox that the main loop empties onto the log."""
