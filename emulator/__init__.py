"""The embedded AWS: two regions on one machine that can be killed, frozen, cut off and brought back.

`emulator.client.Emulator` is the way in for the command line, the demo, chaos runs and tests; everything
else here is what it starts. No Docker, no AWS account, nothing that listens beyond 127.0.0.1.
"""
