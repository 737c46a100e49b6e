"""DynamoDB: point-in-time recovery and exports."""
