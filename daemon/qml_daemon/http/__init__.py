"""The daemon's HTTP service: address, tokens, the app and the thread that serves it."""
