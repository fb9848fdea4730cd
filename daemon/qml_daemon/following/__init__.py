"""The follower: open jobs brought to their end and their bill after the trainer is gone, in a process of its own.

Where to start reading: worker.py; what is decided without any provider is in `qml_producers.following`.
"""
