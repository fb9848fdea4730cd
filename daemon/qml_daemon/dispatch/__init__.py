"""From findings to notifications: alerts, routes, groups and their timers."""
