"""The outside world behind the domain's ports: AWS, Claude, Slack, the clock, Lambda's event shapes."""
