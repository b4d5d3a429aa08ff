"""modelmill's own package `mlserver`, by itself."""

import asyncio
import copy
import importlib
import importlib.util
import sys

import pytest

import servers


@pytest.fixture
def mlserver():
    package = servers.ROOT / "python/modelmill/mlserver"
    before = {name: sys.modules.pop(name) for name in list(sys.modules) if name.partition(".")[0] == "mlserver"}
    spec = importlib.util.spec_from_file_location("mlserver", package / "__init__.py", submodule_search_locations=[str(package)])
    sys.modules["mlserver"] = module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module
    for name in list(sys.modules):
        if name.partition(".")[0] == "mlserver":
            del sys.modules[name]
    sys.modules.update(before)


def request(types, *inputs, **more):
    """Of (name, datatype, shape, data)."""
    tensors = [types.RequestInput(**dict(zip(("name", "datatype", "shape", "data"), one))) for one in inputs]
    return types.InferenceRequest(inputs=tensors, **more)


class Model:
    """Gives `x` back, and remembers how many rows came with each call."""

    def __init__(self, types, output=None):
        self.types, self.output, self.calls = types, output, []

    async def predict(self, payload):
        found = [tensor for tensor in payload.inputs if tensor.name == "x"]
        self.calls.append([tensor.shape for tensor in payload.inputs])
        outputs = [
            self.types.ResponseOutput(name="y", datatype=x.datatype, shape=x.shape, data=list(x.data.root)) for x in found
        ]
        if self.output is not None:
            outputs = [self.types.ResponseOutput(name="y", datatype="FP32", **self.output)]
        return self.types.InferenceResponse(model_name="m", outputs=outputs)


def answers(model, requests, size=2, seconds=0.01):
    batching = importlib.import_module("mlserver.batching")

    async def ask():
        batcher = batching.AdaptiveBatcher(model.predict, size, seconds)
        return await asyncio.gather(*(batcher.predict(one) for one in requests), return_exceptions=True)

    return asyncio.run(ask())


def x(values, shape=None, datatype="FP32"):
    return ("x", datatype, [1, len(values)] if shape is None else shape, values)


def test_requests_of_a_kind_are_one_batch(mlserver):
    types = importlib.import_module("mlserver.types")
    model = Model(types)
    asked = [request(types, x([1.0, 2.0]), id="a"), request(types, x([3.0, 4.0, 5.0, 6.0], [2, 2]), id="b")]
    first, second = answers(model, asked)
    assert model.calls == [[[3, 2]]]
    assert (first.id, first.outputs[0].shape, first.outputs[0].data.root) == ("a", [1, 2], [1, 2])
    assert (second.id, second.outputs[0].shape, second.outputs[0].data.root) == ("b", [2, 2], [3, 4, 5, 6])


@pytest.mark.parametrize(
    "inputs",
    [
        [("junk", "FP32", [2, 1], [0.0, 0.0]), x([7.0, 8.0])],
        [x(["one"], [2], "BYTES")],
        [x([7.0], [])],
        [],
        [x([7.0, 8.0], datatype="INT64")],
        [x([7.0, 8.0, 9.0])],
        [x([7.0, 8.0]), x([7.0, 8.0])],
    ],
)
def test_others_rows_are_not_counted_as_ones_own(mlserver, inputs):
    types = importlib.import_module("mlserver.types")
    model = Model(types)
    odd, plain = answers(model, [request(types, *inputs), request(types, x([1.0, 2.0]))])
    assert [output.data.root for output in plain.outputs] == [[1, 2]]
    assert [output.data.root for output in odd.outputs] == [one[3] for one in inputs if one[0] == "x"]
    assert len(model.calls) == 2


@pytest.mark.parametrize("output", [{"shape": [1], "data": [1.0]}, {"shape": [2, 2], "data": [1.0]}, {"shape": [], "data": [1.0]}])
def test_an_output_without_a_row_for_each_is_an_error(mlserver, output):
    types = importlib.import_module("mlserver.types")
    found = answers(Model(types, output), [request(types, x([1.0])), request(types, x([2.0]))])
    assert all(isinstance(one, ValueError) and "set max_batch_size to 1" in str(one) for one in found)


def test_names_of_parameters_hide_nothing(mlserver):
    types, utils = importlib.import_module("mlserver.types"), importlib.import_module("mlserver.codecs.utils")
    given = {"_decoded_payload": 1, "_set": 2, "_extra": 3, "self": 4, "model_dump": 5, "content_type": "np", "n": 6}
    made = types.Parameters(**given)
    tensor = types.RequestInput(name="x", shape=[1], datatype="FP32", data=[1.0], parameters=made)
    assert not utils.has_decoded(tensor) and utils.get_decoded_or_raw(tensor).root == [1.0]
    assert made.model_dump() == given and (made.n, made.content_type) == (6, "np")
    assert made == types.Parameters.model_validate(given) and not hasattr(made, "absent")
    made.n, made.more = 7, 8
    for other in (made.model_copy(), copy.deepcopy(made)):
        assert other == made and other.more == 8
    other = made.model_copy(update={"n": 9})
    assert (other.n, made.n) == (9, 7)
    del made.more
    assert not hasattr(made, "more") and "more" not in made.model_dump()
