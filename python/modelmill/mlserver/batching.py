"""Adaptive batching: requests that come within max_batch_time go to predict() as one, max_batch_size of them at most. They
are of the same inputs, and each has as many rows as all of its inputs do: what isn't so goes to predict() by itself."""

import asyncio
import math

from .logging import logger
from .types import InferenceRequest, InferenceResponse, Parameters, RequestInput, RequestOutput, ResponseOutput


async def load_batching(model):
    size, seconds = model.settings.max_batch_size, model.settings.max_batch_time
    if size > 1 and seconds <= 0:
        logger.warning("max_batch_size is %s and max_batch_time is not above 0: nothing is batched", size)
    if size > 1 and seconds > 0:
        model.predict = AdaptiveBatcher(model.predict, size, seconds).predict
    return model


class AdaptiveBatcher:
    """On one event loop."""

    def __init__(self, predict, size, seconds):
        self._predict, self._size, self._seconds = predict, size, seconds
        self._waiting, self._tasks = {}, set()  # by kind: (the timer, requests with their answers)

    async def predict(self, request):
        kind = kind_of(request)
        if kind is None:
            return await self._predict(request)
        loop = asyncio.get_running_loop()
        answer = loop.create_future()
        if kind not in self._waiting:
            self._waiting[kind] = loop.call_later(self._seconds, self._run, kind), []
        _, waiting = self._waiting[kind]
        waiting.append((request, answer))
        if len(waiting) >= self._size:
            self._run(kind)
        return await answer

    def _run(self, kind):
        timer, taken = self._waiting.pop(kind)
        timer.cancel()
        task = asyncio.get_running_loop().create_task(self._answer(taken))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _answer(self, taken):
        try:
            requests = [request for request, _ in taken]
            responses = split(await self._predict(merged(requests)), requests)
        except Exception as error:
            for _, answer in taken:
                if not answer.done():
                    answer.set_exception(error)
            return
        for (_, answer), response in zip(taken, responses):
            if not answer.done():
                answer.set_result(response)


def kind_of(request):
    """Requests of one kind may be one batch. None: this one may not be in any."""
    tensors = request.inputs
    if not tensors or any(not tensor.shape or tensor.shape[0] != tensors[0].shape[0] for tensor in tensors):
        return None
    if len({tensor.name for tensor in tensors}) < len(tensors):
        return None
    if any(min(tensor.shape) < 0 or math.prod(tensor.shape) != _count(tensor) for tensor in tensors):
        return None
    inputs = [(tensor.name, tensor.datatype, *tensor.shape[1:], _content_type(tensor)) for tensor in tensors]
    return _content_type(request), *inputs


def _content_type(one):
    return one.parameters.content_type if one.parameters else None


def _count(tensor):
    """Of its values."""
    array = tensor.data.held_array
    return array.size if array is not None else len(_flat(tensor))


def _parameters(objects, lists=False):
    """Of all; later ones count. `lists`: what several have becomes a list."""
    found = {}
    for one in objects:
        for name, value in (one.parameters.model_dump() if one.parameters else {}).items():
            if lists and name in found and name not in ("content_type", "headers"):
                before = found[name][0] if isinstance(found[name], _Several) else [found[name]]
                value = _Several([before + [value]])
            found[name] = value
    plain = {name: value[0] if isinstance(value, _Several) else value for name, value in found.items()}
    return {"parameters": Parameters(**plain)} if plain else {}


class _Several(list):
    """A list of several requests' values, in a list of one."""


def _by_name(tensors):
    found = {}
    for tensor in tensors:
        found.setdefault(tensor.name, []).append(tensor)
    return found.values()


def merged(requests):
    """Rows of the inputs one after another."""
    inputs = []
    for tensors in _by_name(tensor for request in requests for tensor in request.inputs):
        first, rows = tensors[0], sum(tensor.shape[0] for tensor in tensors)
        data = [value for tensor in tensors for value in _flat(tensor)]
        inputs.append(
            RequestInput(name=first.name, datatype=first.datatype, shape=[rows, *first.shape[1:]], data=data,
                         **_parameters(tensors, lists=True))
        )  # fmt: skip
    outputs = [
        RequestOutput(name=wishes[0].name, **_parameters(wishes))
        for wishes in _by_name(wish for request in requests for wish in request.outputs or ())
    ]
    more = {"outputs": outputs} if any(request.outputs is not None for request in requests) else {}
    return InferenceRequest(inputs=inputs, **more, **_parameters(requests))


def _flat(tensor):
    root = tensor.data.root
    return root if isinstance(root, list) else [root]


def split(response, requests):
    """The rows of each request's own, as many as its inputs have."""
    parts, rows = [[] for _ in requests], [request.inputs[0].shape[0] for request in requests]
    for output in response.outputs:
        values, row, at = _flat(output), math.prod(output.shape[1:]), 0
        if not output.shape or output.shape[0] != sum(rows) or len(values) != sum(rows) * row:
            raise ValueError(
                f"output '{output.name}' has shape {output.shape} and {len(values)} values for a batch of {sum(rows)} rows; "
                "it must have one for each, or nothing be batched: set max_batch_size to 1"
            )
        about = {"parameters": output.parameters} if output.parameters is not None else {}
        for part, count in zip(parts, rows):
            part.append(
                ResponseOutput(name=output.name, datatype=output.datatype, shape=[count, *output.shape[1:]],
                               data=values[at : at + count * row], **about)
            )  # fmt: skip
            at += count * row
    about = {"parameters": response.parameters} if response.parameters is not None else {}
    return [
        InferenceResponse(id=request.id, model_name=response.model_name, model_version=response.model_version,
                          outputs=outputs, **about)
        for request, outputs in zip(requests, parts)
    ]  # fmt: skip
