"""`make demo`: the whole system in two minutes, a region lost in the middle, every alert counted."""
