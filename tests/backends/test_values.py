"""What goes in and comes out of each backend: every type, sizes of all kinds, and the framework's own answers."""

import numpy as np
import pytest

from kit import NUMPY_TYPES, ROLES, assert_close, same


def test_the_kit_leaves_nothing_unsaid(kit):
    """Each role and each type is either a model's or is told to be missing, with the reason."""
    for role in ROLES:
        assert bool(kit.of_role(role)) != (role in kit.cannot), role
    if "identity" in kit.cannot:
        return
    have = {dtype for model in kit.of_role("identity") for dtype, _ in model.inputs.values()}
    for dtype in NUMPY_TYPES:
        assert (dtype in have) != (dtype in kit.cannot), dtype


@pytest.mark.parametrize("client_kind", ["http", "grpc"])
def test_the_server_shows_what_the_framework_declares(stand, client_kind):
    with stand.client(client_kind) as client:
        for model in stand.kit.models:
            shown = client.json("get_model_metadata", model.name)
            for ports, key in ((model.inputs, "inputs"), (model.outputs, "outputs")):
                have = {p["name"]: (p["datatype"], tuple(p.get("shape", ()))) for p in shown.get(key, [])}
                assert have == ports, (model.name, key)
            assert client.is_model_ready(model.name)


@pytest.mark.role("identity")
@pytest.mark.parametrize("client_kind", ["http", "grpc"])
def test_a_type_comes_back_bit_by_bit(stand, model, client_kind):
    (given,), (returned,) = model.inputs, model.outputs
    with stand.client(client_kind) as client:
        for seed, sizes in enumerate(model.sizes):
            arrays = model.draw(sizes, seed)
            answer = stand.ask(client, model, arrays)[returned]
            assert same(answer, arrays[given]), (sizes, arrays[given], answer)


@pytest.mark.role("answers")
@pytest.mark.parametrize("client_kind", ["http", "grpc"])
def test_answers_are_the_frameworks(stand, model, client_kind):
    requests = [model.draw(sizes, seed) for seed, sizes in enumerate(model.sizes)]
    with stand.client(client_kind) as client:
        answers = [stand.ask(client, model, arrays) for arrays in requests]
    for arrays, answer, expected in zip(requests, answers, stand.answers(model, requests), strict=True):
        assert_close(model, answer, expected, [array.shape for array in arrays.values()])


@pytest.mark.role("batches")
def test_requests_of_unequal_size_one_after_another(stand, model):
    """Larger and smaller than the one before, so that nothing of it is left in the next one's answer."""
    requests = [model.draw((rows,), rows) for rows in (1, 17, 2, 64, 1)]
    with stand.client() as client:
        answers = [stand.ask(client, model, arrays) for arrays in requests]
    for answer, expected in zip(answers, stand.answers(model, requests), strict=True):
        assert_close(model, answer, expected)


@pytest.mark.role("batches")
def test_only_the_outputs_that_were_asked_for(stand, model):
    arrays = model.draw((2,))
    (expected,) = stand.answers(model, [arrays])
    with stand.client() as client:
        for name in model.outputs:
            result = client.infer(model.name, arrays, outputs=[client.output(name)])
            assert [output.name for output in result.get_response().outputs] == [name]
            assert_close(model, {name: result.as_numpy(name)}, {name: expected[name]})


@pytest.mark.role("batches")
def test_a_large_answer_outlives_the_ones_after_it(stand, model):
    """Answers may lend the framework's memory; it must not be used again while a client still reads."""
    requests = [model.draw((64,), seed) for seed in range(8)]
    expected = stand.answers(model, requests)
    with stand.client() as client:
        results = [client.infer(model.name, arrays) for arrays in requests * 3]
    for result, wanted in zip(results, expected * 3, strict=True):
        assert_close(model, {name: result.as_numpy(name) for name in model.outputs}, wanted)
        assert all(np.asarray(value).size for value in wanted.values())
