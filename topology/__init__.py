"""What exists, as frozen specs: names, regions, queues, tables, functions, limits, configuration.

Standard library only. Everything else (the Pulumi program, the embedded AWS, the command line)
reads the system from here, so a name or a limit has one home.
"""
