"""The drill: the whole day of losing a region, rehearsed under load, timed, and counted alert by alert.

`responder dr drill` runs it. A `Scenario` is a list of phases; `runner` works them off, with the state in the
run folder after each, so that a drill whose process died is finished by another one.
"""
