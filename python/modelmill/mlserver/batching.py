"""Adaptive batching: requests that come within max_batch_time go to predict() as one, max_batch_size of them at most."""

import asyncio

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
        self._waiting, self._timer, self._tasks = [], None, set()

    async def predict(self, request):
        loop = asyncio.get_running_loop()
        answer = loop.create_future()
        self._waiting.append((request, answer))
        if len(self._waiting) >= self._size:
            self._run()
        elif self._timer is None:
            self._timer = loop.call_later(self._seconds, self._run)
        return await answer

    def _run(self):
        if self._timer is not None:
            self._timer.cancel()
        taken, self._waiting, self._timer = self._waiting, [], None
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


def _elements(shape):
    count = 1
    for size in shape[1:]:
        count *= size
    return count


def split(response, requests):
    """The rows of each request's own, as many as its first input has."""
    parts, rows = [[] for _ in requests], [request.inputs[0].shape[0] for request in requests]
    for output in response.outputs:
        values, row, at = output.data.root, _elements(output.shape), 0
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
