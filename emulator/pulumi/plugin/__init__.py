"""The handlers of `emulator.pulumi.provider` as a Pulumi provider plugin, for the real Pulumi engine.

`responder local pulumi` puts an executable `pulumi-resource-aws` that runs this package on the PATH of one
call of the Pulumi CLI. The CLI's engine starts it, reads the port that it prints, and calls it by gRPC
(https://www.pulumi.com/docs/iac/guides/building-extending/providers/implementers/). `guard` lets nothing
through that was not asked for by that command.
"""
