"""What is done about a deployment: checks of a deployed stack."""
