"""What the embedded AWS refuses to a program: correct the program, or add a handler."""


class ProviderError(Exception):
    """The program cannot be carried out faithfully on the embedded AWS; the message names the resource."""


class UnknownResourceTypeError(ProviderError):
    """No handler is written for this type of resource, function or read."""


class UnknownArgumentError(ProviderError):
    """The handler does not know this argument or resource option, so it cannot honour it."""


class MissingArgumentError(ProviderError):
    """An argument that the resource needs is absent, or an output that feeds it had no value."""


class DuplicateUrnError(ProviderError):
    """Two resources of one type share name and parent; the SDK alone would let one overwrite the other."""


class ProtectedError(ProviderError):
    """The program asked that this resource, or what is in it, stay: it is neither deleted nor replaced."""


class UndoneReplacementError(ProviderError):
    """The deletion of the old resource at the end would undo the new one, since on AWS both are one."""
