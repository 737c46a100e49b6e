"""What the pipeline decides. No AWS, no HTTP, no clock, no randomness: those come in through `ports`."""
