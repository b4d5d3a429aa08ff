"""The MLP on BentoML, as its documentation shows it: two workers, one thread in each runtime."""

import os

import bentoml
import numpy as np
import onnxruntime


@bentoml.service(workers=2)
class Mlp:
    def __init__(self):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(os.environ["MODEL"], options, providers=["CPUExecutionProvider"])

    @bentoml.api(route="/predict")
    def predict(self, x: np.ndarray) -> np.ndarray:
        return self.session.run(None, {"x": x.astype(np.float32)})[0]
