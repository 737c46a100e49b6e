"""An in-process Pulumi provider: each resource that the program registers is made on the embedded AWS.

`emulator.pulumi.deploy` runs the real Pulumi program against it, without the Pulumi CLI or its plugins. It is
strict, because an emulator that accepts everything proves nothing: a resource type, an argument or a
resource option that it does not know is an error, and so is an output that it forgot to give.

`catalogue` lists what it knows, one module an AWS service; `engine` compares with what a former run left
in `state` and creates, updates, replaces or deletes; `monitor` is what the Pulumi SDK talks to.
"""
