"""KServe's own server with a model for each data type that gives back what it gets: kserve_echo_main.py HTTP_PORT GRPC_PORT."""

import sys

import kserve
from kserve.protocol.infer_type import InferOutput, InferRequest, InferResponse

DTYPES = ["BOOL", "UINT8", "UINT16", "UINT32", "UINT64", "INT8", "INT16", "INT32", "INT64", "FP16", "FP32", "FP64", "BYTES"]


class Echo(kserve.Model):
    """y is x. Asks of its inputs what a model of a runtime asks."""

    def __init__(self, datatype):
        super().__init__(f"echo_{datatype.lower()}")
        self.datatype, self.ready = datatype, True

    def get_input_types(self):
        return [{"name": "x", "datatype": self.datatype, "shape": [-1, -1]}]

    def get_output_types(self):
        return [{"name": "y", "datatype": self.datatype, "shape": [-1, -1]}]

    async def predict(self, payload: InferRequest, headers=None, response_headers=None):
        if [one.name for one in payload.inputs] != ["x"] or payload.inputs[0].datatype != self.datatype:
            raise kserve.errors.InvalidInput(f"{self.name} takes one input, x {self.datatype}")
        array = payload.inputs[0].as_numpy()
        if array.ndim != 2:
            raise kserve.errors.InvalidInput(f"{self.name} takes x of two dimensions")
        output = InferOutput("y", list(array.shape), self.datatype)
        output.set_data_from_numpy(array, binary_data=payload.use_binary_outputs)
        return InferResponse(
            payload.id, self.name, [output],
            use_binary_outputs=payload.use_binary_outputs, requested_outputs=payload.request_outputs,
        )  # fmt: skip


kserve.ModelServer(http_port=int(sys.argv[1]), grpc_port=int(sys.argv[2]), enable_grpc=True).start(
    [Echo(one) for one in DTYPES]
)
