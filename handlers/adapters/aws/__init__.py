"""The AWS services that the handlers call, each as a port of the domain."""
