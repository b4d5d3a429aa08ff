"""The MLP on Triton's Python backend, the one that its pip package carries: one thread in each instance's runtime."""

import os

import numpy as np
import onnxruntime
import triton_python_backend_utils as pb_utils


class TritonPythonModel:
    def initialize(self, args):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(os.environ["MODEL"], options, providers=["CPUExecutionProvider"])

    def execute(self, requests):
        rows = [pb_utils.get_input_tensor_by_name(request, "x").as_numpy() for request in requests]
        outputs = self.session.run(None, {"x": np.concatenate(rows)})[0]
        parts = np.split(outputs, np.cumsum([len(row) for row in rows])[:-1])
        return [
            pb_utils.InferenceResponse([pb_utils.Tensor("probabilities", np.ascontiguousarray(part))]) for part in parts
        ]
