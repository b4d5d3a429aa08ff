"""Answers to requests."""

import json
import math

from .errors import TritonError, TritonModelException
from .tensors import Tensor
from .values import TRITONSERVER_RESPONSE_COMPLETE_FINAL as _FINAL


def checked_parameters(parameters, what):
    """Those of a request or response. Triton's own are texts, whole numbers and bools; fractions go as well."""
    if parameters is None:
        return {}
    if not isinstance(parameters, dict):
        raise TritonModelException(f"the parameters of an {what} are a dictionary")
    for key, value in parameters.items():
        if not isinstance(key, str) or not isinstance(value, (str, int, float, bool)):
            raise TritonModelException(f"parameter {key!r} of an {what} is no text, number or bool")
        if isinstance(value, float) and not math.isfinite(value):
            raise TritonModelException(f"parameter {key!r} of an {what} is {value}, which JSON lacks")
        if not isinstance(value, (str, float)) and not -(2**63) <= value < 2**64:
            raise TritonModelException(f"parameter {key!r} of an {what} is {value}, which has more than 64 bits")
    return parameters


class InferenceResponse:
    """Outputs, or the error in their place."""

    __slots__ = ("_error", "_parameters", "_tensors")

    def __init__(self, output_tensors=(), error=None, parameters=None):
        self._tensors, self._error, self._parameters = output_tensors or (), error, parameters
        if error is not None and not isinstance(error, TritonError):
            raise TritonModelException(f"the error of an InferenceResponse is a TritonError, no {type(error).__name__}")
        for tensor in self._tensors:
            if type(tensor) is not Tensor:
                raise TritonModelException(f"an InferenceResponse holds Tensors, not {type(tensor).__name__}")
        if parameters:
            checked_parameters(parameters, "InferenceResponse")

    def output_tensors(self):
        return list(self._tensors)

    def has_error(self):
        return self._error is not None

    def error(self):
        return self._error

    def parameters(self):
        """As JSON."""
        return json.dumps(self._parameters or {})


class InferenceResponseSender:
    """Answers a request, from any thread and also after execute() has returned."""

    __slots__ = ("_reply",)

    def __init__(self, reply):
        self._reply = reply

    def send(self, response=None, flags=0):
        if flags not in (0, _FINAL):
            raise TritonModelException(f"flags are 0 or TRITONSERVER_RESPONSE_COMPLETE_FINAL, not {flags!r}")
        if response is None and not flags:
            raise TritonModelException("without TRITONSERVER_RESPONSE_COMPLETE_FINAL there must be a response to send")
        if response is not None and type(response) is not InferenceResponse:
            raise TritonModelException(f"an InferenceResponse can be sent, not {type(response).__name__}")
        self._reply.send(response, flags == _FINAL)

    def is_cancelled(self):
        return self._reply.is_cancelled()


class Reply:
    """What a request and its sender share. When both are gone, a request that has no last answer fails.

    `model` is the flavour: it makes outputs of responses and is told of the end.
    """

    __slots__ = ("batch", "closed", "model", "sent", "which")

    def __init__(self, model, batch, which):
        self.model, self.batch, self.which = model, batch, which
        self.closed, self.sent = False, 0

    def send(self, response, final):
        with self.batch.lock:
            if self.closed:
                raise TritonModelException("the response sender is closed: its last response has been sent")
            if response is not None and self.sent and not self.model.decoupled:
                raise TritonModelException("a model that is not decoupled has one response to a request")
            self.closed = final
            self.sent += response is not None
        if response is not None:
            self.model.send(self, response, final)
        elif self.is_open():
            self.batch.finish(self.which)
        self.model.sent(self)

    def is_open(self):
        return self.which in self.batch.open

    def is_cancelled(self):
        return self.model.is_cancelled(self.batch, self.which)

    def __del__(self):
        if self.is_open():
            text = "the model let go of this request without its last response"
            self.batch.fail(self.which, "INTERNAL", text)
            self.model.sent(self)
