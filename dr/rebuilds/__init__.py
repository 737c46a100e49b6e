"""A new stack in other regions, from a backup bucket and nothing else."""
