"""What commands on a stack reach besides AWS itself; of the local stack its own name service."""

import functools

from clients.routing import resolve_region
from dr.operations.outside import Outside
from ops.opened_stack import OpenedStack


def outside_of(stack: OpenedStack) -> Outside:
    """Time, DNS and the stack's own URLs."""
    if stack.emulator is None:
        return Outside()
    return Outside(resolve=functools.partial(resolve_region, dns_server=stack.emulator.dns_address))
