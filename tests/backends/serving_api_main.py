"""TensorFlow Serving's own client, in TensorFlow's Python: asks a server about models that it also runs itself.

serving_api_main.py ADDRESS FOLDER prints {check: "" or what went wrong} as JSON. FOLDER has the SavedModels that the
server serves, and those of kits/tensorflow_side.py among them.
"""

import json
import pathlib
import sys
import traceback

import grpc
import numpy as np
import requests
import tensorflow as tf
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    inference_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
    regression_pb2,
)

ADDRESS, FOLDER = sys.argv[1], pathlib.Path(sys.argv[2])
CHANNEL = grpc.insecure_channel(ADDRESS, options=[("grpc.max_receive_message_length", -1)])
PREDICTION = prediction_service_pb2_grpc.PredictionServiceStub(CHANNEL)
MODEL = model_service_pb2_grpc.ModelServiceStub(CHANNEL)
RANDOM = np.random.default_rng(7)
IMAGES = RANDOM.random((3, 28, 28, 1), np.float32)
WORDS = np.array([b"a", b"\xc3\xa9", b""], object)
NUMBERS = np.arange(32, dtype=np.int32).reshape(2, 16)
TYPES = ["bf16", "bool", "bytes", "fp16", "fp32", "fp64", "int16", "int32", "int64", "int8", "uint16", "uint32", "uint64", "uint8"]


def own(model, inputs, version=1, signature="serving_default"):
    """What TensorFlow itself answers."""
    loaded = tf.saved_model.load(str(FOLDER / model / str(version)))
    outputs = loaded.signatures[signature](**{name: tf.constant(value) for name, value in inputs.items()})
    return {name: value.numpy() for name, value in outputs.items()}


def request_of(model, inputs, **spec):
    request = predict_pb2.PredictRequest()
    request.model_spec.name = model
    for name, value in inputs.items():
        request.inputs[name].CopyFrom(tf.make_tensor_proto(value))
    for name, value in spec.items():
        setattr(request.model_spec, name, value)
    return request


def predict(model, inputs):
    reply = PREDICTION.Predict(request_of(model, inputs))
    return {name: tf.make_ndarray(value) for name, value in reply.outputs.items()}


def rest(model, verb, **body):
    reply = requests.post(f"http://{ADDRESS}/v1/models/{model}:{verb}", json=body, timeout=60)
    assert reply.status_code == 200, reply.text
    return reply.json()


def same(got, expected):
    assert got.keys() == expected.keys(), (got.keys(), expected.keys())
    for name, value in expected.items():
        if value.dtype == object:
            assert [x if isinstance(x, bytes) else x.encode() for x in np.ravel(got[name])] == list(np.ravel(value)), name
        else:
            np.testing.assert_allclose(got[name], value, rtol=1e-5)


def fails(code, call, *arguments):
    try:
        call(*arguments)
    except grpc.RpcError as error:
        assert error.code() is code, error
        return error.details()
    raise AssertionError("it was answered")


def example(**features):
    out = tf.train.Example()
    for name, values in features.items():
        out.features.feature[name].float_list.value.extend(values)
    return out


def check_predict():
    for model, inputs in {"cnn": {"image": IMAGES}, "strings": {"s": WORDS}, "add_sub": {"a": NUMBERS, "b": NUMBERS[::-1]}}.items():
        same(predict(model, inputs), own(model, inputs))


def check_every_type():
    for name in TYPES:
        loaded = tf.saved_model.load(str(FOLDER / f"identity_{name}/1")).signatures["serving_default"]
        dtype = loaded.structured_input_signature[1]["x"].dtype
        values = [[b"a", b"\0\xff"]] if dtype == tf.string else [[1, 0]]
        x = tf.constant(values if dtype == tf.string else tf.cast(tf.constant(values), dtype)).numpy()
        reply = PREDICTION.Predict(request_of(f"identity_{name}", {"x": x})).outputs["y"]
        assert reply.dtype == dtype.as_datatype_enum, name
        assert (tf.make_ndarray(reply) == x).all(), (name, reply)


def check_typed_values_and_what_clients_read():
    request = request_of("times", {})
    request.inputs["x"].CopyFrom(tf.make_tensor_proto([[1.0, 2, 3, 4]], tf.float32))
    request.inputs["x"].ClearField("tensor_content")
    request.inputs["x"].float_val[:] = [1, 2]
    reply = PREDICTION.Predict(request)
    assert list(reply.outputs["y"].float_val) == [3, 6, 6, 6], reply
    assert reply.model_spec.version.value == 3
    assert reply.model_spec.signature_name == "serving_default"


def check_output_filter():
    request = request_of("add_sub", {"a": NUMBERS, "b": NUMBERS})
    request.output_filter.append("sum")
    assert list(PREDICTION.Predict(request).outputs) == ["sum"]
    request.output_filter.append("nothing")
    fails(grpc.StatusCode.INVALID_ARGUMENT, PREDICTION.Predict, request)


def check_rest():
    expected = own("cnn", {"image": IMAGES})["output_0"]
    np.testing.assert_allclose(rest("cnn", "predict", instances=IMAGES.tolist())["predictions"], expected, rtol=1e-5)
    np.testing.assert_allclose(rest("cnn", "predict", inputs=IMAGES.tolist())["outputs"], expected, rtol=1e-5)
    inputs = {"a": NUMBERS, "b": NUMBERS[::-1]}
    rows = [{name: value[i].tolist() for name, value in inputs.items()} for i in range(2)]
    got = rest("add_sub", "predict", instances=rows)["predictions"]
    same({name: np.array([row[name] for row in got]) for name in got[0]}, own("add_sub", inputs))
    words = rest("strings", "predict", instances=["a", {"b64": "w6k="}, ""])["predictions"]
    assert [row["length"] for row in words] == [1, 2, 0], words


def check_classify():
    scores = [[2.0, 3.0], [1.5, 1.0]]
    request = classification_pb2.ClassificationRequest()
    request.model_spec.name = "classified"
    request.model_spec.signature_name = "classify_x"
    request.input.example_list.examples.extend([example(x=[1, 2]), example(x=[0.5, 0])])
    reply = PREDICTION.Classify(request)
    assert [[c.score for c in row.classes] for row in reply.result.classifications] == scores, reply
    examples = [{"x": [1.0, 2.0]}, {"x": [0.5, 0.0]}]
    results = rest("classified", "classify", signature_name="classify_x", examples=examples)["results"]
    assert results == [[["", score] for score in row] for row in scores], results
    request.input.example_list.examples.append(example(y=[1]))
    fails(grpc.StatusCode.INVALID_ARGUMENT, PREDICTION.Classify, request)


def check_regress_and_multi_inference():
    request = regression_pb2.RegressionRequest()
    request.model_spec.name = "scaled"
    request.input.example_list.examples.extend([example(x=[2]), example(x=[5])])
    assert [r.value for r in PREDICTION.Regress(request).result.regressions] == [6, 15]
    assert rest("scaled", "regress", examples=[{"x": 2.0}])["results"] == [6.0]
    multi = inference_pb2.MultiInferenceRequest(input=request.input)
    multi.tasks.add(model_spec=request.model_spec, method_name="tensorflow/serving/regress")
    assert PREDICTION.MultiInference(multi).results[0].regression_result.regressions[1].value == 15


def check_signatures():
    numbers = {"a": np.int32([1, 2]), "b": np.int32([3, 4])}
    reply = PREDICTION.Predict(request_of("classified", numbers, signature_name="add"))
    same({name: tf.make_ndarray(value) for name, value in reply.outputs.items()}, own("classified", numbers, signature="add"))
    assert reply.model_spec.signature_name == "add"
    x = {"x": np.float32([[1, 2]])}
    same(predict("classified", x), own("classified", x))
    rows = [{"a": 1, "b": 3}, {"a": 2, "b": 4}]
    assert rest("classified", "predict", signature_name="add", instances=rows)["predictions"] == [4, 6]
    fails(grpc.StatusCode.INVALID_ARGUMENT, PREDICTION.Predict, request_of("classified", numbers))
    request = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"])
    request.model_spec.name = "classified"
    signatures = get_model_metadata_pb2.SignatureDefMap()
    PREDICTION.GetModelMetadata(request).metadata["signature_def"].Unpack(signatures)
    methods = {name: signature.method_name for name, signature in signatures.signature_def.items()}
    predict_method = "tensorflow/serving/predict"
    assert methods == {"serving_default": predict_method, "add": predict_method, "classify_x": "tensorflow/serving/classify"}


def check_onnx():
    x = RANDOM.random((3, 4), np.float32)
    (output, got), = predict("mlp_onnx", {"x": x}).items()
    plain = requests.post(f"http://{ADDRESS}/predict/mlp_onnx", json={"x": x.tolist()}, timeout=60).json()[output]
    np.testing.assert_allclose(got, plain, rtol=1e-5)
    np.testing.assert_allclose(rest("mlp_onnx", "predict", instances=x.tolist())["predictions"], plain, rtol=1e-5)
    named = rest("mlp_onnx", "predict", instances=[{"x": row} for row in x.tolist()])["predictions"]
    np.testing.assert_allclose(named, plain, rtol=1e-5)
    request = classification_pb2.ClassificationRequest()
    request.model_spec.name = "mlp_onnx"
    request.input.example_list.examples.append(example(x=x[0]))
    scores = [c.score for c in PREDICTION.Classify(request).result.classifications[0].classes]
    np.testing.assert_allclose(scores, plain[0], rtol=1e-5)


def check_status_and_metadata():
    request = get_model_status_pb2.GetModelStatusRequest()
    request.model_spec.name = "times"
    (status,) = MODEL.GetModelStatus(request).model_version_status
    assert (status.version, status.state, status.status.error_code) == (3, status.AVAILABLE, 0)
    request.model_spec.name = "none"
    assert "Could not find any versions of model none" in fails(grpc.StatusCode.NOT_FOUND, MODEL.GetModelStatus, request)
    request = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"])
    request.model_spec.name = "add_sub"
    signatures = get_model_metadata_pb2.SignatureDefMap()
    PREDICTION.GetModelMetadata(request).metadata["signature_def"].Unpack(signatures)
    signature = signatures.signature_def["serving_default"]
    assert sorted(signature.inputs) == ["a", "b"] and sorted(signature.outputs) == ["difference", "sum"]
    assert signature.inputs["a"].dtype == tf.int32.as_datatype_enum
    assert [dim.size for dim in signature.inputs["a"].tensor_shape.dim] == [-1, 16]
    body = requests.get(f"http://{ADDRESS}/v1/models/add_sub/metadata", timeout=60).json()
    assert body["metadata"]["signature_def"]["signature_def"]["serving_default"]["inputs"]["a"]["dtype"] == "DT_INT32"


def check_errors():
    text = fails(grpc.StatusCode.NOT_FOUND, PREDICTION.Predict, request_of("none", {}))
    assert text == "Servable not found for request: Latest(none)", text
    request = request_of("times", {})
    request.model_spec.version.value = 1
    assert fails(grpc.StatusCode.NOT_FOUND, PREDICTION.Predict, request) == "Servable not found for request: Specific(times, 1)"
    fails(grpc.StatusCode.FAILED_PRECONDITION, PREDICTION.Predict, request_of("times", {}, signature_name="none"))
    fails(grpc.StatusCode.INVALID_ARGUMENT, PREDICTION.Predict, request_of("times", {}, version_label="none"))
    fails(grpc.StatusCode.INVALID_ARGUMENT, PREDICTION.Predict, request_of("times", {"x": np.zeros((1, 3), np.float32)}))


def main():
    results = {}
    for name, check in list(globals().items()):
        if not name.startswith("check_"):
            continue
        try:
            check()
            results[name.removeprefix("check_")] = ""
        except Exception:  # each check tells for itself
            results[name.removeprefix("check_")] = traceback.format_exc()
    print(json.dumps(results))


if __name__ == "__main__":
    main()
