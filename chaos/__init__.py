"""Chaos: experiments on a running stack, in Chaos Toolkit's format."""
