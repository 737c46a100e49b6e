"""Chaos: experiments on a running stack in Chaos Toolkit's format, and the deterministic simulator."""
