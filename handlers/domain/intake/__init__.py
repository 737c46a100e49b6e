"""What comes in: bodies become alerts, alerts become rows, and only then is anything promised."""
