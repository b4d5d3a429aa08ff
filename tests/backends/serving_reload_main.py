"""TensorFlow Serving's own client, which sends lists of models.

serving_reload_main.py ADDRESS [TOKEN] reads from standard input lists in their text form, as a JSON list, and prints for
each {"code", "details", "status"}: how the call went, and the code in its answer.
"""

import json
import sys

import grpc
from google.protobuf import text_format
from tensorflow_serving.apis import model_management_pb2, model_service_pb2_grpc

MODELS = model_service_pb2_grpc.ModelServiceStub(grpc.insecure_channel(sys.argv[1]))
METADATA = [("authorization", f"Bearer {token}") for token in sys.argv[2:]]


def outcome(text):
    request = model_management_pb2.ReloadConfigRequest()
    text_format.Parse(text, request.config)
    try:
        reply = MODELS.HandleReloadConfigRequest(request, timeout=60, metadata=METADATA)
    except grpc.RpcError as error:
        return {"code": error.code().name, "details": error.details(), "status": None}
    return {"code": "OK", "details": "", "status": reply.status.error_code}


print(json.dumps([outcome(text) for text in json.load(sys.stdin)]))
