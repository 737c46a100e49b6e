"""What goes out: leases on alerts, their analysis, and Slack at the pace that it takes."""
