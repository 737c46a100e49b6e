"""`responder connect`: what a sender needs to be told, and what was understood of its test alert."""
