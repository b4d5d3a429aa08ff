"""Where it runs and how, as its configuration says: parameters and the device."""

import modelmill
import numpy as np

FACTOR = float(modelmill.parameter("factor", 3))
DEVICE = modelmill.device()  # "cpu", or "cuda:1": model.to(DEVICE)


@modelmill.model(batch=8)
def scaled(x: modelmill.Tensor[np.float32, -1]) -> {"y": modelmill.Tensor[np.float32, -1], "device": str}:
    return {"y": x * np.float32(FACTOR), "device": [DEVICE] * len(x)}
