"""Triton's model.py: the class TritonPythonModel, which imports triton_python_backend_utils."""

import asyncio
import inspect
import json
import logging
import os
import threading

import modelmill.triton as module
from modelmill import devices
from modelmill.errors import Error
from modelmill.triton import config as _config
from modelmill.triton.calls import InferenceRequest
from modelmill.triton.replies import InferenceResponse, Reply
from modelmill.triton.tensors import Tensor

from .. import frames, readiness
from ..background import Background, BackgroundAsync
from ..memory import Full
from ..serving import OneByOne, execution
from .flavour import Flavour

CLASS = "TritonPythonModel"
MODULE = "triton_python_backend_utils"  # that its code imports
NATIVE_MODULE = "c_python_backend_utils"  # where Triton's has its classes from
log = logging.getLogger("modelmill")


def load(code, hello):
    """`code`: the module of a model's file."""
    made = getattr(code, CLASS)
    if not callable(getattr(made, "execute", None)):
        raise Error(f"class {CLASS} has no method execute")
    devices.settle(hello, devices.AUTO)
    config = hello["config"]
    complete = getattr(made, "auto_complete_config", None)
    if complete is not None:
        given = complete(_config.ModelConfig(config))
        if not isinstance(given, _config.ModelConfig):
            raise Error("auto_complete_config must return the configuration that it was given")
        config = given.as_dict()
    return Triton(made, config, hello)


def _specs(config, kind, batched):
    out = []
    for tensor in config.get(kind, ()):
        number = frames.NUMBERS.get(str(tensor["data_type"]).removeprefix("TYPE_"))
        if number is None:
            raise Error(f"{kind} '{tensor['name']}' has the data_type {tensor['data_type']}, which is none")
        dims = tensor["reshape"].get("shape", ()) if tensor.get("reshape") else tensor["dims"]
        shape = [-1, *map(int, dims)] if batched else [int(size) for size in dims]
        out.append((tensor["name"], number, shape, bool(tensor.get("optional"))))
    return out


class Triton(Flavour):
    """Executions come one after another. Of a decoupled model the next may begin while earlier ones have answers to
    come; of another it begins when all are answered."""

    def __init__(self, made, config, hello):
        self._made, self._config, self._hello = made, config, hello
        self.name, self.version = hello["model"], hello["version"]
        self.max_batch_size = int(config.get("max_batch_size") or 0)
        self.decoupled = _config.using_decoupled_model_transaction_policy(config)
        self._inputs = _specs(config, "input", self.max_batch_size > 0)
        self._outputs = _specs(config, "output", self.max_batch_size > 0)
        if not self._outputs:
            raise Error(
                "the configuration lists no output; give input and output in config.pbtxt, or add them in a static "
                "method auto_complete_config"
            )
        self.outputs = {name: (index, number) for index, (name, number, _, _) in enumerate(self._outputs)}
        self.concurrent = self.decoupled
        asynchronous = inspect.iscoroutinefunction(made.execute)
        self.kind = OneByOne if not self.decoupled else BackgroundAsync if asynchronous else Background
        self._instance, self._serving, self._loop, self._unknown = None, None, None, set()
        self._asking, self._moved = threading.Lock(), threading.Condition()

    def describe(self):
        def specs(tensors):
            return [
                {"name": name, "dtype": frames.NAMES[number], "shape": shape, "optional": optional}
                for name, number, shape, optional in tensors
            ]

        return {
            "inputs": specs(self._inputs),
            "outputs": specs(self._outputs),
            "gather": self.max_batch_size > 0,
            "wants_info": True,
            "decoupled": self.decoupled,
            "concurrent": self.concurrent,
            "max_batch_size": self.max_batch_size,
            "ragged": any(tensor.get("allow_ragged_batch") for tensor in self._config.get("input", ())),
            "output_shapes_unsure": True,
        }

    # Hooks.

    def make(self):
        self._instance = self._made()

    def start(self):
        initialize = getattr(self._instance, "initialize", None)
        if initialize is not None:
            initialize(self._arguments())
        if hasattr(self._instance, "is_ready"):
            readiness.watch(self._instance.is_ready)
        return []

    def stop(self):
        finalize = getattr(self._instance, "finalize", None)
        if finalize is not None:
            finalize()
        return []

    def _arguments(self):
        """Of initialize(): all of them text."""
        kind, _, number = self._hello["device"].partition(":")
        groups = self._config.get("instance_group") or [{}]
        kind = {"cuda": "GPU", "cpu": "CPU"}.get(kind, kind)
        if kind == "CPU" and all(group.get("kind") == "KIND_MODEL" for group in groups):
            kind = "MODEL"
        folder = os.path.dirname(os.path.abspath(self._hello["file"]))
        return {
            "model_config": json.dumps(self._config),
            "model_instance_kind": kind,
            "model_instance_device_id": number or "0",
            "model_instance_name": f"{groups[0].get('name') or self.name + '_0'}_{self._hello['instance']}",
            "model_repository": os.path.dirname(folder) if os.path.basename(folder).isdigit() else folder,
            "model_version": str(self.version),
            "model_name": self.name,
        }

    # Executions.

    def execute(self, batch, serving):
        """A coroutine where the model is decoupled and its execute() is one."""
        self._serving = serving
        if self.kind is BackgroundAsync:
            return self._execute_async(batch)
        requests = self._requests(batch)
        try:
            with execution(batch.number):
                returned = self._instance.execute(requests)
                if inspect.isawaitable(returned):
                    returned = self._run(returned)
            requests = None
            answers = self._answers(batch, returned)
            returned = None
            batch.answer_each(answers)
        except Exception as error:
            requests = returned = None
            serving.fail(batch, None, error)
        if self.decoupled:
            return self._end_if_over(batch)
        with self._moved:
            while batch.open:
                self._moved.wait()  # for those that a response sender answers
        with self._asking:
            return None

    async def _execute_async(self, batch):
        requests = self._requests(batch)
        try:
            with execution(batch.number):
                returned = await self._instance.execute(requests)
            requests = None
            self._answers(batch, returned)
        except Exception as error:
            requests = None
            self._serving.fail(batch, None, error)
        self._end_if_over(batch)

    def _end_if_over(self, batch):
        if not batch.open:
            self._serving.end(batch)

    def _run(self, awaitable):
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
            asyncio.set_event_loop(self._loop)
        return self._loop.run_until_complete(awaitable)

    def _requests(self, batch):
        """The requests, each with views on its own rows."""
        inputs, batch.inputs = batch.inputs, ()
        out, first = [], 0
        for which, rows in enumerate(batch.rows):
            if not batch.gathered:
                arrays = inputs[which].items()
            elif len(batch.rows) == 1:
                arrays = inputs[0].items()
            else:
                arrays = [(index, array[first : first + rows]) for index, array in inputs[0].items()]
                first += rows
            tensors = [Tensor._of(self._inputs[i][0], array, self._inputs[i][1]) for i, array in arrays]
            reply = Reply(self, batch, which) if self.decoupled else None
            out.append(InferenceRequest._of(self, batch, which, tensors, reply))
        return out

    def _answers(self, batch, returned):
        """What execute() returned, for answer_each(); the errors in it are told."""
        if self.decoupled:
            if returned is not None:
                raise Error(f"execute of a decoupled model returns None, not {type(returned).__name__}", "INTERNAL")
            return []
        if returned is None and len(batch.senders) == len(batch.rows):
            return []
        if not isinstance(returned, (list, tuple)):
            raise Error(f"execute returns a list of InferenceResponses, not {type(returned).__name__}", "INTERNAL")
        if len(returned) != len(batch.rows):
            raise Error(f"execute returned {len(returned)} responses for {len(batch.rows)} requests", "INTERNAL")
        for response in returned:
            if response is not None and type(response) is not InferenceResponse:
                raise Error(f"execute returned a {type(response).__name__} among its InferenceResponses", "INTERNAL")
        answers = []
        for which, response in enumerate(returned):
            if which in batch.senders:
                continue  # its answer comes from there
            try:
                if response is None:
                    raise Error("execute returned None for a request without a response sender", "INTERNAL")
                answers.append((which, *self._outputs_of(response), response._parameters))
            except Error as error:
                batch.fail(which, error.code, str(error))
        return answers

    def _outputs_of(self, response):
        """(indices, arrays, types) of a response's outputs. Raises Error when it is one, or they can't be."""
        if response._error is not None:
            raise Error(response._error._message, response._error._grpc())
        indices, arrays, types = [], [], []
        for tensor in response._tensors:
            known = self.outputs.get(tensor._name)
            if known is None:
                self._warn(tensor._name)
                continue
            index, number = known
            if tensor._dtype != number:
                raise Error(
                    f"output '{tensor._name}' is of the type {frames.NAMES[tensor._dtype]}, but the configuration says "
                    f"{frames.NAMES[number]}",
                    "INTERNAL",
                )
            indices.append(index)
            arrays.append(tensor._array)
            types.append(number)
        return indices, arrays, types

    def _warn(self, name):
        if name not in self._unknown:
            self._unknown.add(name)
            log.warning("output '%s' is not one of the configuration's and is left out", name)

    # What requests and their senders ask for.

    def reply(self, batch, which):
        batch.senders.add(which)
        return Reply(self, batch, which)

    def send(self, reply, response, final):
        batch, which = reply.batch, reply.which
        try:
            indices, arrays, types = self._outputs_of(response)
            if self.decoupled:
                self._serving.send(batch, which, indices, arrays, types, final, response._parameters)
            else:
                with batch.lock:
                    if which in batch.open:
                        batch.answer(which, indices, arrays, True, response._parameters, types)
        except (Error, Full) as error:
            if reply.is_open():
                self._serving.fail(batch, which, error)

    def sent(self, reply):
        if self.decoupled:
            return self._end_if_over(reply.batch)
        with self._moved:
            self._moved.notify_all()

    def is_cancelled(self, batch, which):
        with self._asking:
            if which in batch.open:
                return self._serving.is_cancelled(batch, which)
            return which in batch.cancelled
