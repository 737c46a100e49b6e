"""How much memory each function should have: from samples at each size to a decision and its report."""
