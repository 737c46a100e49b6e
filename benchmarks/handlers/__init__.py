"""What the handlers cost, each figure beside a floor of the same run: `python -m benchmarks.bench`."""
