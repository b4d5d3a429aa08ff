"""The MLP on TorchServe: a handler of its own, one thread in each of its two workers' runtimes."""

import os

import numpy as np
import onnxruntime


class Mlp:
    def initialize(self, context):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        path = os.path.join(context.system_properties["model_dir"], "mlp.onnx")
        self.session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])

    def handle(self, data, context):
        rows = [np.asarray((request.get("body") or request.get("data"))["x"], np.float32) for request in data]
        outputs = self.session.run(None, {"x": np.concatenate(rows)})[0]
        return [{"probabilities": part.tolist()} for part in np.split(outputs, np.cumsum([len(r) for r in rows])[:-1])]
