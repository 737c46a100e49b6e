"""Queries of Logs Insights: `fields`, `filter`, `stats`, `sort`, `limit`, `display`; all else is refused.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/CWL_QuerySyntax.html
"""
