"""Jobs whose trainer is gone: which are open, when each is asked next, what a provider's answer becomes. Pure."""
