"""`responder local`: the stack on the embedded AWS, from up to down."""
