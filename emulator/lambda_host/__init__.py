"""Runs Lambda functions on this machine, with Lambda's memory, processor share, limits and REPORT lines.

For measuring what a function costs at each memory size without an AWS account. AWS's own runtime client
runs the package's handler, in one process per execution environment, held by control groups or, without the
rights to make them, stopped and continued.

    from emulator.lambda_host.host import LambdaHost

    with LambdaHost() as host:
        function = host.environment(
            Path("build/packages/reception.zip"),
            handler="handlers.reception.handler",
            memory_mb=512,
            timeout_s=30,
            variables={"AWS_REGION": "us-east-1"},
        )
        cold = function.invoke(b"{}")
        warm = function.invoke(b"{}")
        print(host.mechanism, cold.init_ms, warm.duration_ms, warm.cpu_share, warm.report)
"""
