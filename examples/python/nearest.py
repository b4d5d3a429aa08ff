"""A class, made once in each worker: what it loads stays there. Two workers run it side by side."""

import modelmill
import numpy as np


@modelmill.model(batch=32, workers=2, output="index")
class Nearest:
    def __init__(self):
        count = int(modelmill.parameter("points", 1000))
        self.points = np.random.default_rng(7).standard_normal((count, 8)).astype(np.float32)

    def start(self):
        self.squares = (self.points**2).sum(axis=1)

    def predict(self, x: modelmill.Tensor[np.float32, 8]) -> int:
        return np.argmin(self.squares - 2 * x @ self.points.T, axis=1)

    def stop(self):
        print("nearest stops")
