"""How a user would run a job with each SDK: the subjects of the conformance suite, by entry point.

Only what runs on this machine; what needs a provider's server has its subjects beside that server, in the tests.
"""
