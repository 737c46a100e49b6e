"""Load tests: what the pipeline bears, and how fast. They drive a stack through `clients.Deployment`."""
