"""The demo: a real training job on a recorded device, watched by a real daemon."""
