"""Which region works on which alert, and what it does about those that nobody works on."""
