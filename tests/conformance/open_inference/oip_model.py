"""A model that is asked: what its metadata says, and requests made of that."""

import dataclasses
import json
import math

import pytest

import oip_values
from oip_http import model_path


@dataclasses.dataclass
class Tensor:
    name: str
    datatype: str
    shape: list  # -1 where it is open


@dataclasses.dataclass
class Model:
    name: str
    versions: list
    inputs: list
    outputs: list
    is_echo: bool
    size: int  # of dimensions that are open

    def shape(self, tensor):
        return [self.size if one < 0 else one for one in tensor.shape]

    def values(self, tensor):
        return oip_values.values(tensor.datatype, math.prod(self.shape(tensor)), self.is_echo)

    def input(self, tensor, nested=False):
        shape, data = self.shape(tensor), self.values(tensor)
        if nested:
            data = oip_values.nested(data, shape)
        return {"name": tensor.name, "shape": shape, "datatype": tensor.datatype, "data": data}

    def request(self, **more):
        """One with all inputs in JSON, and nothing that needn't be."""
        return {"inputs": [self.input(tensor) for tensor in self.inputs], **more}

    @property
    def speaks_json(self):
        """FP16 has no form in JSON that the protocol names."""
        return all(one.datatype in oip_values.TYPES and one.datatype != "FP16" for one in self.inputs + self.outputs)

    @property
    def types(self):
        return {one.datatype for one in self.inputs + self.outputs}


def _tensors(entries):
    return [Tensor(one["name"], one["datatype"], [int(size) for size in one["shape"]]) for one in entries]


def listed(http):
    """The names that a server lists: KServe's list or the repository extension's, which are not of the protocol."""
    answer = http.get("/v2/models")
    if answer.status == 200:
        try:
            return list(json.loads(answer.body)["models"])
        except (ValueError, KeyError, TypeError):
            pass
    answer = http.post("/v2/repository/index", {})
    if answer.status == 200:
        try:
            return list(dict.fromkeys(one["name"] for one in json.loads(answer.body) if one.get("state", "READY") == "READY"))
        except (ValueError, KeyError, TypeError, AttributeError):
            pass
    pytest.exit(f"{http.url} lists no models, which the protocol has no way for: name them by --model NAME", returncode=2)


def described(http, name, options):
    answer = http.get(model_path(name))
    if answer.status != 200:
        pytest.exit(f"there is no metadata of the model '{name}': {answer}", returncode=2)
    metadata = answer.json()
    model = Model(
        name,
        [str(version) for version in metadata.get("versions") or []],
        _tensors(metadata.get("inputs") or []),
        _tensors(metadata.get("outputs") or []),
        name in options.echoes,
        options.size,
    )
    if model.is_echo:
        pairs = list(zip(model.inputs, model.outputs))
        assert len(model.inputs) == len(model.outputs), f"'{name}' is no echo: it has other outputs than inputs"
        assert all(a.datatype == b.datatype for a, b in pairs), f"'{name}' is no echo: its outputs are of other types"
    return model
