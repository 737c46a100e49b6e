"""What is measured and not tested: time and memory at scale, each against a floor in the same run."""
