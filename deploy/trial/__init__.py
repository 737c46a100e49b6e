"""The trial: what only AWS itself can prove of the program, as steps with a verdict each.

`responder deploy prove` runs it, here on the embedded AWS and for whoever has an account on AWS.
"""
