"""Two states of a table compared item by item."""
