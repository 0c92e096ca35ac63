"""Slack: the only place that knows it. blocks shapes, client sends and asks, app listens."""
