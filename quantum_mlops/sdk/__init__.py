"""The SDK: what training code calls, and what instrumentations stand on."""
