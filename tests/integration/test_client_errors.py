"""What Triton's clients are told when a request is wrong or fails: the same over both protocols."""

import numpy as np
import pytest

from clients import ROW, SIMPLE, InferenceServerException, assert_error, value_at

pytestmark = pytest.mark.conformance("tritonclient.{client}")


def bad_requests():
    int_row = np.zeros((1, 16), np.int32)
    return {
        "unknown model": (("no_such", SIMPLE), {}, "NOT_FOUND", ["Request for unknown model: 'no_such' is not found"]),
        "unknown version": (
            ("versions", ROW),
            {"model_version": "2"},
            "NOT_FOUND",
            ["Request for unknown model: 'versions' version 2 is not found"],
        ),
        "version is no number": (
            ("versions", ROW),
            {"model_version": "abc"},
            "INVALID_ARGUMENT",
            ["failed to get model version from specified version string 'abc'"],
        ),
        "missing input": (
            ("simple", {"INPUT0": int_row}),
            {},
            "INVALID_ARGUMENT",
            ["expected 2 inputs but got 1 inputs for model 'simple'", "INPUT1"],
        ),
        "unknown input": (
            ("simple", {"INPUT0": int_row, "INPUT9": int_row}),
            {},
            "INVALID_ARGUMENT",
            ["unexpected inference input 'INPUT9' for model 'simple'"],
        ),
        "unknown output": (
            ("simple", SIMPLE, "OUTPUT9"),
            {},
            "INVALID_ARGUMENT",
            ["unexpected inference output 'OUTPUT9' for model 'simple'"],
        ),
        "wrong shape": (
            ("simple", {"INPUT0": np.zeros((1, 15), np.int32), "INPUT1": int_row}),
            {},
            "INVALID_ARGUMENT",
            ["unexpected shape for input 'INPUT0' for model 'simple'. Expected [-1,16], got [1,15]"],
        ),
        "wrong rank": (
            ("simple", {"INPUT0": np.zeros(8, np.int32), "INPUT1": np.zeros(8, np.int32)}),
            {},
            "INVALID_ARGUMENT",
            ["unexpected shape for input 'INPUT0' for model 'simple'. Expected [-1,16], got [8]"],
        ),
        "wrong data type": (
            ("simple", {"INPUT0": int_row.astype(np.float32), "INPUT1": int_row}),
            {},
            "INVALID_ARGUMENT",
            ["inference input 'INPUT0' data-type is 'FP32', but model 'simple' expects 'INT32'"],
        ),
        "batch too large": (
            ("simple", {"INPUT0": np.zeros((9, 16), np.int32), "INPUT1": np.zeros((9, 16), np.int32)}),
            {},
            "INVALID_ARGUMENT",
            ["inference request batch-size must be <= 8 for 'simple'"],
        ),
        "rows differ": (
            ("simple", {"INPUT0": np.zeros((2, 16), np.int32), "INPUT1": int_row}),
            {},
            "INVALID_ARGUMENT",
            ["input 'INPUT1' batch size does not match other inputs for 'simple'"],
        ),
    }


@pytest.mark.parametrize("case", bad_requests())
def test_bad_request(client, case):
    arguments, options, code, texts = bad_requests()[case]
    outputs = [client.output(arguments[2])] if len(arguments) > 2 else None
    with pytest.raises(InferenceServerException) as error:
        client.infer(arguments[0], arguments[1], outputs=outputs, **options)
    if case == "version is no number" and not client.is_grpc:
        assert error.value.status() == "404", "no such path"
    else:
        assert_error(error, code, *texts)
    np.testing.assert_array_equal(client.infer("simple", SIMPLE).as_numpy("OUTPUT1"), SIMPLE["INPUT0"] - 3)


def test_failure_inside_the_runtime(client):
    good = client.infer("gather", {"index": np.array([7], np.int64)})
    np.testing.assert_array_equal(good.as_numpy("y"), [70])
    with pytest.raises(InferenceServerException) as error:
        client.infer("gather", {"index": np.array([99], np.int64)})
    assert "99" in error.value.message()
    np.testing.assert_array_equal(client.infer("gather", {"index": np.array([3], np.int64)}).as_numpy("y"), [30])


def test_failures_are_counted(client):
    count = lambda: value_at(  # noqa: E731
        client.json("get_inference_statistics", "gather")["model_stats"][0], ("inference_stats", "fail", "count")
    )
    before = count()
    with pytest.raises(InferenceServerException):
        client.infer("gather", {"index": np.array([99], np.int64)})
    assert count() == before + 1
