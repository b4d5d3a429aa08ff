"""Errors of requests and of the module itself."""

from modelmill.errors import Error


class TritonModelException(Exception):
    """Raised where the module is used as it can't be."""


class TritonError:
    """The error that answers a request."""

    UNKNOWN, INTERNAL, NOT_FOUND, INVALID_ARG, UNAVAILABLE, UNSUPPORTED, ALREADY_EXISTS, CANCELLED = range(8)

    def __init__(self, message, code=INTERNAL):
        if code not in range(len(_CODES)):
            raise TritonModelException(f"{code!r} is no code of an error; TritonError has them, such as INVALID_ARG")
        self._message, self._code = str(message), code

    def message(self):
        return self._message

    def code(self):
        return self._code

    def __str__(self):
        return self._message

    def _grpc(self):
        return _CODES[self._code]

    @classmethod
    def _of(cls, error):
        """What a call of another model raised."""
        code = error.code if isinstance(error, Error) else "INTERNAL"
        return cls(str(error), _CODES.index(_NEAREST.get(code, code)))


_CODES = (
    "UNKNOWN", "INTERNAL", "NOT_FOUND", "INVALID_ARGUMENT", "UNAVAILABLE", "UNIMPLEMENTED", "ALREADY_EXISTS",
    "CANCELLED",
)  # fmt: skip
# What Triton has no code for.
_NEAREST = {
    "DEADLINE_EXCEEDED": "CANCELLED", "RESOURCE_EXHAUSTED": "UNAVAILABLE", "FAILED_PRECONDITION": "INVALID_ARGUMENT",
    "OUT_OF_RANGE": "INVALID_ARGUMENT", "PERMISSION_DENIED": "UNAVAILABLE", "UNAUTHENTICATED": "UNAVAILABLE",
    "ABORTED": "INTERNAL", "DATA_LOSS": "INTERNAL",
}  # fmt: skip
