"""Requests over HTTP that can't be answered. The protocol asks for an HTTP error status and {"error": "..."}."""

import pytest

from oip_http import model_path

pytestmark = pytest.mark.conformance("Open Inference HTTP")


def changed(model, **fields):
    """A request whose first input has other fields; without those that are None."""
    request = model.request()
    first = {**request["inputs"][0], **fields}
    request["inputs"][0] = {key: value for key, value in first.items() if value is not None}
    return request


def first_input(model):
    return model.request()["inputs"][0]


CASES = {
    "not JSON": lambda model: b'{"inputs": [',
    "no JSON at all": lambda model: b"\x00\xff\x00",
    "an empty body": lambda model: b"",
    "no object": lambda model: [],
    "no inputs": lambda model: {"id": "1"},
    "inputs that are no list": lambda model: {"inputs": {}},
    "an input that is not there": lambda model: {"inputs": [*model.request()["inputs"], {**first_input(model), "name": "none"}]},
    "an input that is missing": lambda model: {"inputs": model.request()["inputs"][1:]},
    "an input without a name": lambda model: changed(model, name=None),
    "an input without a shape": lambda model: changed(model, shape=None),
    "an input without a data type": lambda model: changed(model, datatype=None),
    "an input without data": lambda model: changed(model, data=None),
    "a data type that is not there": lambda model: changed(model, datatype="FLOAT99"),
    "a negative dimension": lambda model: changed(model, shape=[-1] * max(1, len(model.inputs[0].shape))),
    "a dimension that is no number": lambda model: changed(model, shape=["a"]),
    "too little data": lambda model: changed(model, data=first_input(model)["data"][:-1]),
    "too much data": lambda model: changed(model, data=first_input(model)["data"] * 2),
    "data of another type": lambda model: changed(model, data=[{"a": 1}] * len(first_input(model)["data"])),
    "an output that is not there": lambda model: model.request(outputs=[{"name": "none"}]),
}


@pytest.mark.parametrize("case", CASES)
def test_refused(http, model, case):
    answer = http.infer(model.name, CASES[case](model))
    assert answer.is_error, answer
    said = answer.json()
    assert isinstance(said, dict) and isinstance(said.get("error"), str) and said["error"], said


def test_another_number_of_dimensions(http, models):
    fixed = [one for one in models if one.speaks_json and len(one.inputs[0].shape) > 1]
    if not fixed:
        pytest.skip("no model has a first input of two dimensions")
    first = first_input(fixed[0])
    answer = http.infer(fixed[0].name, changed(fixed[0], shape=[len(first["data"])] + [1] * len(first["shape"])))
    assert answer.is_error, answer
    assert isinstance(answer.json().get("error"), str), answer


def test_another_size_of_a_dimension(http, models):
    for model in models:
        shape = model.inputs[0].shape if model.speaks_json and model.inputs else []
        if any(size > 1 for size in shape):
            wrong = [size - 1 if size > 1 else max(size, 1) for size in shape]
            count = 1
            for size in wrong:
                count *= size
            answer = http.infer(model.name, changed(model, shape=wrong, data=model.values(model.inputs[0])[:1] * count))
            assert answer.is_error, answer
            assert isinstance(answer.json().get("error"), str), answer
            return
    pytest.skip("no model has a first input with a dimension that is fixed")


def test_a_model_that_is_not_there(http, model):
    answer = http.infer("no_model_of_this_name", model.request())
    assert answer.is_error, answer
    assert isinstance(answer.json().get("error"), str), answer


def test_a_version_that_is_not_there(http, versioned):
    answer = http.infer(versioned.name, versioned.request(), "987654321")
    assert answer.is_error, answer
    assert isinstance(answer.json().get("error"), str), answer


def test_another_method(http, model):
    answer = http.get(model_path(model.name) + "/infer")
    assert answer.is_error, answer


def test_a_path_that_is_not_there(http, model):
    answer = http.get(model_path(model.name) + "/nothing")
    assert answer.is_error, answer


def test_the_server_lives_on(http, model):
    """After all that."""
    assert http.get("/v2/health/live").status == 200
    assert http.infer(model.name, model.request()).status == 200
