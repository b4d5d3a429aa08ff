"""Inference over HTTP, in JSON."""

import math

import pytest

import oip_values

pytestmark = pytest.mark.conformance("Open Inference HTTP")


def infer(http, model, request, version=""):
    answer = http.infer(model.name, request, version)
    assert answer.status == 200, answer
    return answer.json()


def check_outputs(model, outputs):
    """Each is one that the metadata has, with as many elements as its shape says."""
    described = {one.name: one for one in model.outputs}
    for output in outputs:
        assert output["name"] in described, f"the metadata of '{model.name}' has no output '{output['name']}'"
        assert output["datatype"] == described[output["name"]].datatype, output
        flat = oip_values.flattened(output["data"])
        assert len(flat) == math.prod(output["shape"]), output
        assert all(oip_values.is_of_type(output["datatype"], one) for one in flat), output


def test_the_least_request(http, model):
    answer = http.infer(model.name, model.request())
    assert answer.status == 200, answer
    assert answer.headers.get("Content-Type", "").startswith("application/json"), answer.headers.get("Content-Type")
    said = answer.json()
    assert said["model_name"] == model.name
    assert {one["name"] for one in said["outputs"]} == {one.name for one in model.outputs}, "all outputs, when none is named"
    check_outputs(model, said["outputs"])


@pytest.mark.parametrize("name", ["42", "a longer name, größe ☃"])
def test_the_id_comes_back(http, model, name):
    assert infer(http, model, model.request(id=name))["id"] == name


def test_no_id(http, model):
    said = infer(http, model, model.request())
    assert isinstance(said.get("id") or "", str)


def test_outputs_that_are_named(http, models):
    several = [one for one in models if len(one.outputs) > 1 and one.speaks_json]
    if not several:
        pytest.skip("no model has several outputs")
    for wanted in several[0].outputs:
        said = infer(http, several[0], several[0].request(outputs=[{"name": wanted.name}]))
        assert [one["name"] for one in said["outputs"]] == [wanted.name]


def test_the_one_output_named(http, model):
    wanted = model.outputs[0].name
    said = infer(http, model, model.request(outputs=[{"name": wanted}]))
    assert [one["name"] for one in said["outputs"]] == [wanted]


def test_empty_parameters_change_nothing(http, model):
    request = model.request(parameters={}, outputs=[{"name": one.name, "parameters": {}} for one in model.outputs])
    for one in request["inputs"]:
        one["parameters"] = {}
    check_outputs(model, infer(http, model, request)["outputs"])


def test_nested_data(http, models):
    deep = [one for one in models if one.speaks_json and any(len(tensor.shape) > 1 for tensor in one.inputs)]
    if not deep:
        pytest.skip("no model has an input of two dimensions")
    model = deep[0]
    flat = infer(http, model, model.request())
    nested = infer(http, model, {"inputs": [model.input(tensor, nested=True) for tensor in model.inputs]})
    for one, other in zip(flat["outputs"], nested["outputs"]):
        assert one["shape"] == other["shape"]
        assert oip_values.flattened(one["data"]) == oip_values.flattened(other["data"])


def test_inputs_in_any_order(http, models):
    several = [one for one in models if len(one.inputs) > 1 and one.speaks_json]
    if not several:
        pytest.skip("no model has several inputs")
    request = several[0].request()
    said = infer(http, several[0], {"inputs": request["inputs"][::-1]})
    assert said["outputs"] == infer(http, several[0], request)["outputs"]


def test_a_version(http, versioned):
    for version in versioned.versions:
        said = infer(http, versioned, versioned.request(), version)
        assert said.get("model_version", version) == version, said
        check_outputs(versioned, said["outputs"])


@pytest.mark.parametrize("datatype", oip_values.TYPES)
def test_data_type(http, of_type, datatype):
    model = of_type(datatype)
    answer = http.infer(model.name, model.request())
    if datatype == "FP16" and answer.is_error:
        pytest.skip("FP16 isn't taken in JSON, where the protocol has no form for it")
    assert answer.status == 200, answer
    outputs = answer.json()["outputs"]
    check_outputs(model, outputs)
    if model.is_echo:
        by_name = {one["name"]: one for one in outputs}
        for sent, got in zip(model.inputs, model.outputs):
            data = oip_values.flattened(by_name[got.name]["data"])
            assert by_name[got.name]["shape"] == model.shape(sent)
            assert oip_values.same(datatype, data, model.values(sent)), (data, model.values(sent))
