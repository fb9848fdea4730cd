"""Questions over HTTP: lists and single things from the views, their description, and a stream of what is new."""
