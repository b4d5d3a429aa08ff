import json

import numpy as np

from .base import Lists, body_of

_TYPES = {"b": "BOOL", "i": "INT64", "f": "FP64", "U": "BYTES"}  # of numpy


class KServev2Envelope(Lists):
    """KServe's second protocol: the handler gets the `inputs` of all requests as a batch, and each result is an output."""

    key = "inputs"

    def parse_input(self, data):
        self._ids = [body.get("id", "") if isinstance(body := body_of(row), dict) else "" for row in data]
        return super().parse_input(data)

    def format_output(self, data):
        name = "explain" if self.context.get_request_header(0, "explain") == "True" else "predict"
        model = self.context.manifest["model"]
        return [
            {
                "id": identity,
                "model_name": model.get("modelName", ""),
                "model_version": model.get("modelVersion", ""),
                "outputs": [_output(name, result) for result in part],
            }
            for identity, part in zip(self._ids, self.split(data))
        ]


def _output(name, result):
    parts = result if isinstance(result, list) else [result]
    try:
        array = np.asarray(parts)
    except ValueError:  # lists of unequal lengths
        array = np.asarray(parts, object)
    kind = _TYPES.get(array.dtype.kind)
    if kind is None:
        texts = [json.dumps(part) for part in parts]
        return {"name": name, "shape": [len(texts)], "datatype": "BYTES", "data": texts}
    return {"name": name, "shape": list(array.shape), "datatype": kind, "data": array.tolist()}
