"""TensorFlow Serving's own client and protos, in TensorFlow's Python: asks a server, and reads what it has logged.

serving_log_main.py ADDRESS PREFIX asks version 2 of the model "times" by gRPC and JSON, waits for as many records in the
files that begin with PREFIX, and holds them against what was asked and answered.
"""

import contextlib
import glob
import sys
import time

import grpc
import numpy as np
import requests
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_log_pb2, prediction_service_pb2_grpc

ADDRESS, PREFIX = sys.argv[1:]
X = np.arange(8, dtype=np.float32).reshape(2, 4)


def ask():
    request = predict_pb2.PredictRequest()
    request.model_spec.name = "times"
    request.inputs["x"].CopyFrom(tf.make_tensor_proto(X))
    prediction_service_pb2_grpc.PredictionServiceStub(grpc.insecure_channel(ADDRESS)).Predict(request)
    rest = requests.post(f"http://{ADDRESS}/v1/models/times:predict", json={"instances": (X + 1).tolist()}, timeout=60)
    assert rest.status_code == 200, rest.text
    assert requests.post(f"http://{ADDRESS}/v1/models/times:predict", json={"instances": "no"}, timeout=60).status_code == 400


def whole_records():
    """What can be read of the files: the last record may be on its way."""
    records, files = [], glob.glob(PREFIX + "-*.tfrecord")
    with contextlib.suppress(tf.errors.DataLossError):
        for record in tf.data.TFRecordDataset(files) if files else ():
            records.append(record.numpy())
    return records


def logged(count):
    until = time.monotonic() + 60
    while True:
        records = whole_records()
        if len(records) >= count or time.monotonic() > until:
            return [prediction_log_pb2.PredictionLog.FromString(record) for record in records]
        time.sleep(0.05)


def check(log, x):
    assert log.WhichOneof("log_type") == "predict_log", log
    metadata = log.log_metadata
    assert (metadata.model_spec.name, metadata.model_spec.version.value) == ("times", 2), metadata
    assert metadata.model_spec.signature_name == "serving_default", metadata
    assert metadata.sampling_config.sampling_rate == 1 and list(metadata.saved_model_tags) == ["serve"], metadata
    assert abs(metadata.timestamp_secs - time.time()) < 600, metadata
    assert (tf.make_ndarray(log.predict_log.request.inputs["x"]) == x).all()
    assert (tf.make_ndarray(log.predict_log.response.outputs["y"]) == 2 * x).all()


ask()
for log, x in zip(logged(2), (X, X + 1), strict=True):
    check(log, x)
