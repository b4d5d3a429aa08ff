"""modelmill: a model server in one binary. `modelmill serve FILE.py` serves a file that imports this package:

    import modelmill
    import numpy as np

    @modelmill.model(batch=64)
    def double(x: modelmill.Tensor[np.float32, 4]) -> modelmill.Tensor[np.float32, 4]:
        return 2 * x
"""

_TYPES = {"Image", "Table", "Tensor"}
__all__ = [
    "CallOptions", "Counter", "Error", "Errors", "Gauge", "Histogram", "Image", "Request", "Table", "Tensor", "call",
    "call_async", "comparison", "device", "directory", "empty", "model", "name", "on_start", "on_stop", "parameter", "stream", "submit",
]  # fmt: skip


def __getattr__(name):
    # Not before it is needed: the launcher of the server's binary does without numpy.
    if name not in __all__:
        raise AttributeError(f"module 'modelmill' has no attribute '{name}'")
    from modelmill import api, comparisons, types

    return getattr(types if name in _TYPES else comparisons if name == "comparison" else api, name)
