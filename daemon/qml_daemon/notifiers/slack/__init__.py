"""Slack, by incoming webhook."""

from qml_daemon.notifiers.slack.notifier import SlackNotifier, SlackSettings

__all__ = ["SlackNotifier", "SlackSettings"]
