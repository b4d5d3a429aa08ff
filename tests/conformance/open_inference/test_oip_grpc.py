"""The six methods over gRPC."""

import math

import pytest

import oip_values
from oip_grpc import CLASSES

pytestmark = pytest.mark.conformance("Open Inference gRPC")

NOBODY = "no_model_of_this_name"


def infer_request(model, raw, **fields):
    request = CLASSES["ModelInferRequest"](model_name=model.name, **fields)
    for tensor in model.inputs:
        entry = request.inputs.add(name=tensor.name, datatype=tensor.datatype, shape=model.shape(tensor))
        flat = model.values(tensor)
        if raw:
            request.raw_input_contents.append(oip_values.pack(tensor.datatype, flat))
        else:
            encoded = [one.encode() if isinstance(one, str) else one for one in flat]
            getattr(entry.contents, oip_values.CONTENTS[tensor.datatype]).extend(encoded)
    return request


def read(response):
    """{output: (entry, its elements)}: all as bytes, or each by its type."""
    found = {}
    raw = list(response.raw_output_contents)
    assert not raw or len(raw) == len(response.outputs), "one piece of bytes for each output"
    for i, output in enumerate(response.outputs):
        if raw:
            assert not output.HasField("contents"), "typed contents beside raw ones"
            flat = oip_values.unpack(output.datatype, raw[i])
        else:
            field = oip_values.CONTENTS.get(output.datatype)
            assert field, f"{output.datatype} has no typed contents"
            flat = [one.decode() if isinstance(one, bytes) else one for one in getattr(output.contents, field)]
        assert len(flat) == math.prod(output.shape), output
        found[output.name] = (output, flat)
    return found


def check(model, response):
    assert response.model_name == model.name
    found = read(response)
    assert set(found) == {one.name for one in model.outputs}
    for one in model.outputs:
        assert found[one.name][0].datatype == one.datatype
    if model.is_echo:
        for sent, got in zip(model.inputs, model.outputs):
            assert oip_values.same(sent.datatype, found[got.name][1], model.values(sent)), found[got.name][1]
    return found


def test_health(grpc):
    assert grpc.call("ServerLive").live is True
    assert grpc.call("ServerReady").ready is True


def test_models_are_ready(grpc, models):
    for model in models:
        assert grpc.call("ModelReady", name=model.name).ready is True, model.name


def test_versions_are_ready(grpc, versioned):
    for version in versioned.versions:
        assert grpc.call("ModelReady", name=versioned.name, version=version).ready is True


def test_a_model_that_is_not_there_is_not_ready(grpc):
    """An error or a no; the protocol has both."""
    import grpc as library

    try:
        assert grpc.call("ModelReady", name=NOBODY).ready is False
    except library.RpcError as error:
        assert error.details()


def test_what_the_server_says_of_itself(grpc, http):
    said, over_http = grpc.call("ServerMetadata"), http.get("/v2").json()
    assert said.name and said.version
    assert (said.name, said.version) == (over_http["name"], over_http["version"])


def test_what_models_say_of_themselves(grpc, models):
    for model in models:
        said = grpc.call("ModelMetadata", name=model.name)
        assert said.name == model.name
        assert list(said.versions) == model.versions
        for told, over_http in ((said.inputs, model.inputs), (said.outputs, model.outputs)):
            assert [(one.name, one.datatype, list(one.shape)) for one in told] == [
                (one.name, one.datatype, one.shape) for one in over_http
            ], model.name


def test_metadata_of_a_version(grpc, versioned):
    for version in versioned.versions:
        assert grpc.call("ModelMetadata", name=versioned.name, version=version).name == versioned.name


def test_metadata_of_a_model_that_is_not_there(grpc):
    assert grpc.refused("ModelMetadata", name=NOBODY).details()


@pytest.mark.parametrize("datatype", oip_values.CONTENTS)
def test_data_type(grpc, of_type, datatype):
    model = of_type(datatype)
    if "FP16" in {one.datatype for one in model.inputs}:
        pytest.skip("FP16 has no typed contents")
    check(model, grpc.call("ModelInfer", infer_request(model, raw=False)))


@pytest.mark.parametrize("datatype", oip_values.TYPES)
def test_raw_data_type(grpc, of_type, datatype):
    model = of_type(datatype)
    check(model, grpc.call("ModelInfer", infer_request(model, raw=True)))


def test_the_same_numbers_as_over_http(grpc, http, model):
    found = read(grpc.call("ModelInfer", infer_request(model, raw=True)))
    outputs = http.infer(model.name, model.request()).json()["outputs"]
    for one in outputs:
        entry, flat = found[one["name"]]
        assert list(entry.shape) == one["shape"]
        assert oip_values.same(one["datatype"], flat, oip_values.flattened(one["data"]))


def test_the_id_comes_back(grpc, model):
    assert grpc.call("ModelInfer", infer_request(model, raw=True, id="number 17")).id == "number 17"


def test_a_version(grpc, versioned):
    for version in versioned.versions:
        response = grpc.call("ModelInfer", infer_request(versioned, raw=True, model_version=version))
        assert response.model_version in ("", version)


def test_outputs_that_are_named(grpc, models):
    several = [one for one in models if len(one.outputs) > 1 and one.types <= set(oip_values.TYPES)]
    if not several:
        pytest.skip("no model has several outputs")
    for wanted in several[0].outputs:
        request = infer_request(several[0], raw=True)
        request.outputs.add(name=wanted.name)
        assert set(read(grpc.call("ModelInfer", request))) == {wanted.name}


def another_type(request):
    request.inputs[0].datatype = "FLOAT99"


def another_name(request):
    request.inputs[0].name = "none"


def no_inputs(request):
    del request.inputs[:]
    del request.raw_input_contents[:]


def fewer_bytes(request):
    request.raw_input_contents[0] = request.raw_input_contents[0][:-1]


def more_bytes(request):
    request.raw_input_contents[0] += b"\0"


def bytes_that_are_missing(request):
    request.raw_input_contents[:] = request.raw_input_contents[:-1] or [b""]


def a_negative_dimension(request):
    request.inputs[0].shape[:] = [-1] * max(1, len(request.inputs[0].shape))


def both_kinds_of_contents(request):
    field = oip_values.CONTENTS[request.inputs[0].datatype]
    value = {"bool_contents": True, "bytes_contents": b"a"}.get(field, 1)
    getattr(request.inputs[0].contents, field).append(value)


def an_output_that_is_not_there(request):
    request.outputs.add(name="none")


def a_model_that_is_not_there(request):
    request.model_name = NOBODY


WRONG = [
    another_type, another_name, no_inputs, fewer_bytes, more_bytes, bytes_that_are_missing, a_negative_dimension,
    both_kinds_of_contents, an_output_that_is_not_there, a_model_that_is_not_there,
]  # fmt: skip


@pytest.mark.parametrize("change", WRONG, ids=lambda one: one.__name__)
def test_refused(grpc, model, change):
    request = infer_request(model, raw=True)
    change(request)
    assert grpc.refused("ModelInfer", request).details()


def test_a_version_that_is_not_there(grpc, versioned):
    assert grpc.refused("ModelInfer", infer_request(versioned, raw=True, model_version="987654321")).details()


def test_the_server_lives_on(grpc, model):
    """After all that."""
    assert grpc.call("ServerLive").live is True
    check(model, grpc.call("ModelInfer", infer_request(model, raw=True)))
