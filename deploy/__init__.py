"""What is done about a deployment: checks of a deployed stack, and the trial that proves it on AWS."""
