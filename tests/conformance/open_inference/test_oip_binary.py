"""The binary extension: tensors as bytes behind the JSON, in each direction. Only where it is announced."""

import math

import pytest

import oip_values

pytestmark = [pytest.mark.conformance("Open Inference binary"), pytest.mark.usefixtures("binary")]


def binary_request(model, **more):
    """(the JSON, the bytes behind it)."""
    inputs, data = [], b""
    for tensor in model.inputs:
        raw = oip_values.pack(tensor.datatype, model.values(tensor))
        entry = {"name": tensor.name, "shape": model.shape(tensor), "datatype": tensor.datatype}
        inputs.append({**entry, "parameters": {"binary_data_size": len(raw)}})
        data += raw
    return {"inputs": inputs, **more}, data


def wanted(model, binary):
    return [{"name": one.name, "parameters": {"binary_data": binary}} for one in model.outputs]


def read(answer):
    """{output: (entry, its elements)}, whichever way they came."""
    assert answer.status == 200, answer
    said, rest = answer.parts()
    found = {}
    for output in said["outputs"]:
        size = (output.get("parameters") or {}).get("binary_data_size")
        if size is None:
            flat = oip_values.flattened(output["data"])
        else:
            assert "data" not in output and size <= len(rest), output
            flat, rest = oip_values.unpack(output["datatype"], rest[:size]), rest[size:]
        assert len(flat) == math.prod(output["shape"]), output
        found[output["name"]] = (output, flat)
    assert rest == b"", f"{len(rest)} bytes belong to no output"
    return found


def check_echo(model, found):
    for sent, got in zip(model.inputs, model.outputs):
        entry, flat = found[got.name]
        assert entry["datatype"] == sent.datatype and entry["shape"] == model.shape(sent)
        assert oip_values.same(sent.datatype, flat, model.values(sent)), (flat, model.values(sent))


@pytest.mark.parametrize("datatype", oip_values.TYPES)
def test_data_type_both_ways(http, of_type, datatype):
    model = of_type(datatype)
    request, data = binary_request(model, outputs=wanted(model, True))
    found = read(http.infer_binary(model.name, request, data))
    assert all("binary_data_size" in entry["parameters"] for entry, _ in found.values()), "outputs in JSON that were asked for as bytes"
    if model.is_echo:
        check_echo(model, found)


def test_in_as_bytes_and_out_as_json(http, model):
    request, data = binary_request(model, outputs=wanted(model, False))
    found = read(http.infer_binary(model.name, request, data))
    assert all("data" in entry for entry, _ in found.values())
    if model.is_echo:
        check_echo(model, found)


def test_in_as_json_and_out_as_bytes(http, model):
    found = read(http.infer(model.name, model.request(outputs=wanted(model, True))))
    assert all("binary_data_size" in entry["parameters"] for entry, _ in found.values())
    if model.is_echo:
        check_echo(model, found)


def test_all_outputs_as_bytes(http, model):
    found = read(http.infer(model.name, model.request(parameters={"binary_data_output": True})))
    assert set(found) == {one.name for one in model.outputs}
    assert all("binary_data_size" in entry["parameters"] for entry, _ in found.values())


def test_json_and_bytes_in_one_request(http, models):
    several = [one for one in models if len(one.inputs) > 1 and one.speaks_json]
    if not several:
        pytest.skip("no model has several inputs")
    model = several[0]
    request, data = binary_request(model)
    first = request["inputs"][0].pop("parameters")["binary_data_size"]
    request["inputs"][0]["data"] = model.values(model.inputs[0])
    mixed = read(http.infer_binary(model.name, request, data[first:]))
    plain = read(http.infer(model.name, model.request()))
    assert {name: flat for name, (_, flat) in mixed.items()} == {name: flat for name, (_, flat) in plain.items()}


WRONG = {
    "fewer bytes than are announced": lambda request, data: (request, data[:-1]),
    "more bytes than are announced": lambda request, data: (request, data + b"\0"),
    "a size that is not the shape's": lambda request, data: (grown(request), data + b"\0" * 8),
}


def grown(request):
    request["inputs"][-1]["parameters"]["binary_data_size"] += 8
    return request


@pytest.mark.parametrize("case", WRONG)
def test_refused(http, model, case):
    answer = http.infer_binary(model.name, *WRONG[case](*binary_request(model)))
    assert answer.is_error, answer
    assert isinstance(answer.json().get("error"), str), answer
