"""AWS Backup: vaults, jobs and restore testing."""
