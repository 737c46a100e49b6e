"""Slack: an incoming webhook, or a bot that can edit what it posted."""
