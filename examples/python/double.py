"""A function of arrays. It is called with the rows of all requests that came together, up to 64."""

import modelmill
import numpy as np


@modelmill.model(batch=64)
def double(x: modelmill.Tensor[np.float32, 4]) -> modelmill.Tensor[np.float32, 4]:
    return 2 * x
