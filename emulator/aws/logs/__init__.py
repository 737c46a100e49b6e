"""CloudWatch Logs as AWS has it where ministack does not: patterns, Insights, metrics in log lines."""
