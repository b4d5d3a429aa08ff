"""What comes in goes out, on BentoML: two workers."""

import bentoml
import numpy as np


@bentoml.service(workers=2)
class Identity:
    @bentoml.api(route="/predict")
    def predict(self, x: np.ndarray) -> np.ndarray:
        return x
