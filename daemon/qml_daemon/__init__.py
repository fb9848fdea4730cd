"""The service: composition root, command line, dispatch and delivery."""
