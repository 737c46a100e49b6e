"""The policy pack: what every deployment of the program is held to, before AWS is asked for anything."""
