"""What goes out: leases on alerts, their analysis, and Slack within its rate limit."""
