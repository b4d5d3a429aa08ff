"""Requests: those that execute() is given, and those that the code makes to call other models."""

import asyncio
import json
import time

from modelmill.errors import Error
from modelmill.worker import session as _worker

from .errors import TritonError, TritonModelException
from .replies import InferenceResponse, InferenceResponseSender, checked_parameters
from .tensors import Tensor
from .values import TRITONSERVER_REQUEST_RELEASE_RESCHEDULE, InferenceTrace, PreferredMemory, whole


class InferenceRequest:
    """A request of a client, or one that exec() and async_exec() send to another model."""

    __slots__ = ("_batch", "_details", "_inputs", "_reply", "_serving", "_which")

    def __init__(
        self, request_id="", correlation_id=0, inputs=None, requested_output_names=None, model_name="",
        model_version=-1, flags=0, timeout=0, preferred_memory=None, trace=None, parameters=None, priority=0,
    ):  # fmt: skip
        if not model_name:
            raise TritonModelException("an InferenceRequest needs a model_name")
        self._batch, self._reply, self._serving, self._which = None, None, None, 0
        self._inputs = list(inputs or ())
        for tensor in self._inputs:
            if type(tensor) is not Tensor:
                raise TritonModelException(f"inputs of an InferenceRequest are Tensors, not {type(tensor).__name__}")
        if isinstance(correlation_id, bool) or not isinstance(correlation_id, (int, str)):
            raise TritonModelException("Correlation ID must be integer or string")
        whole(flags=flags, timeout=timeout, priority=priority)
        if isinstance(correlation_id, int):
            whole(correlation_id=correlation_id)
        self._details = {
            "id": request_id, "sequence": correlation_id, "outputs": list(requested_output_names or ()),
            "model": model_name, "version": model_version, "flags": flags, "timeout_us": timeout, "trace": trace,
            "preferred_memory": preferred_memory, "parameters": checked_parameters(parameters, "InferenceRequest"),
            "priority": priority,
        }  # fmt: skip

    @classmethod
    def _of(cls, serving, batch, which, inputs, reply):
        """One of a batch."""
        request = cls.__new__(cls)
        request._serving, request._batch, request._which = serving, batch, which
        request._inputs, request._reply, request._details = inputs, reply, None
        return request

    def _about(self):
        return self._batch.info[self._which] if self._details is None else self._details

    def inputs(self):
        return list(self._inputs)

    def request_id(self):
        return self._about().get("id", "")

    def correlation_id(self):
        return self._about().get("sequence", 0)

    def requested_output_names(self):
        """All of the model's, where the client named none."""
        return self._about().get("outputs") or ([] if self._batch is None else list(self._serving.outputs))

    def set_requested_output_names(self, names):
        if self._batch is not None:
            raise TritonModelException("the outputs of a client's request are its own choice")
        self._details["outputs"] = list(names)

    def parameters(self):
        """As JSON."""
        return json.dumps(self._about().get("parameters", {}))

    def flags(self):
        return self._about().get("flags", 0)

    def set_flags(self, flags):
        if self._batch is not None:
            raise TritonModelException("the flags of a client's request are its own choice")
        self._details["flags"] = flags

    def timeout(self):
        """Microseconds that the client lets it wait, as it said, else those that it waits from now on; 0: it did not
        say."""
        about = self._about()
        deadline = about.get("deadline_ns")
        if about.get("timeout_us") or deadline is None:
            return about.get("timeout_us", 0)
        return max((deadline - time.monotonic_ns()) // 1000, 1)

    def preferred_memory(self):
        return self._about().get("preferred_memory") or PreferredMemory(0, 0)

    def priority(self):
        """1 is the highest; 0: the model's default."""
        return self._about().get("priority", 0)

    def trace(self):
        about = self._about()
        return about.get("trace") or InferenceTrace._of(about.get("traceparent"))

    def set_release_flags(self, flags):
        if flags & TRITONSERVER_REQUEST_RELEASE_RESCHEDULE:
            raise TritonModelException(
                "a request can be rescheduled in a model with iterative sequences (sequence_batching "
                "{ iterative_sequence: true }), which this server does not have; repeat the work inside of execute()"
            )

    def is_cancelled(self):
        return self._batch is not None and self._serving.is_cancelled(self._batch, self._which)

    def get_response_sender(self):
        if self._batch is None:
            raise TritonModelException("a request to another model has no response sender")
        if self._reply is None:
            self._reply = self._serving.reply(self._batch, self._which)
        return InferenceResponseSender(self._reply)

    # Calls of other models.

    def exec(self, decoupled=False):
        """The other model's answer; with `decoupled` a ResponseIterator over all that it gives."""
        try:
            call = self._begin(decoupled)
            return ResponseIterator(self, call) if decoupled else self._response(call.future.result())
        except Error as error:
            failed = InferenceResponse(error=TritonError._of(error))
            return ResponseIterator(self, None, [failed]) if decoupled else failed

    def async_exec(self, decoupled=False):
        """exec() to be awaited. It begins at once."""
        try:
            call = self._begin(decoupled)
        except Error as error:
            failed = InferenceResponse(error=TritonError._of(error))
            return _at_once(ResponseIterator(self, None, [failed]) if decoupled else failed)
        return _at_once(ResponseIterator(self, call)) if decoupled else self._wait(call.future)

    def _begin(self, decoupled):
        if self._batch is not None:
            raise TritonModelException("a client's request can't be sent; make an InferenceRequest with a model_name")
        if _worker.session is None:
            raise RuntimeError("calls of other models work in a model that a server runs")
        details = self._details
        inputs = {tensor._name: tensor for tensor in self._inputs}
        if len(inputs) < len(self._inputs):
            raise Error(f"the request to model '{details['model']}' has two inputs of one name", code="INVALID_ARGUMENT")
        arrays = {name: tensor._array for name, tensor in inputs.items()}
        types = [tensor._dtype for tensor in inputs.values()]
        # The id and the trace are those that were given, not those of the request that execute() has.
        about = {"id": details["id"], "traceparent": details["trace"]._traceparent() if details["trace"] else ""}
        for key in ("outputs", "parameters", "priority", "timeout_us", "sequence", "flags"):
            if details[key]:
                about[key] = details[key]
        if not decoupled:
            about["one"] = True
        return _worker.session.call(details["model"], arrays, max(int(details["version"]), 0), decoupled, types, about)

    async def _wait(self, future):
        try:
            return self._response(await asyncio.wrap_future(future))
        except Error as error:
            return InferenceResponse(error=TritonError._of(error))

    def _response(self, outputs):
        """Of the session's Outputs."""
        names = [name for name in self._details["outputs"] if name in outputs] or outputs
        tensors = [Tensor._of(name, outputs[name], outputs.types[name]) for name in names]
        return InferenceResponse(tensors, parameters=outputs.parameters)


class ResponseIterator:
    """The responses of a call, each when it comes. When all have come they can be gone through again."""

    def __init__(self, request, call, responses=()):
        self._request, self._call, self._responses, self._at = request, call, list(responses), 0

    def __iter__(self):
        if self._call is None and self._at >= len(self._responses):
            self._at = 0
        return self

    def __next__(self):
        if self._call is not None:
            answer = self._call.queue.get()
            if answer is not None:
                outputs, error = answer
                failed = error is not None
                self._responses.append(
                    InferenceResponse(error=TritonError._of(error)) if failed else self._request._response(outputs)
                )
                self._at = len(self._responses)
                return self._responses[-1]
            self._call = None
        elif self._at < len(self._responses):
            self._at += 1
            return self._responses[self._at - 1]
        raise StopIteration

    def cancel(self):
        """The rest is not wanted any more. The model sees that; its last response comes all the same."""
        if self._call is not None:
            self._call.cancel()


async def _at_once(value):
    return value
