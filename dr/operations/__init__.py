"""Failing over and back: steps with deadlines under a journal that outlives the operator's machine."""
