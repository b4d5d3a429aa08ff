"""model-settings.json as an object, with what the environment says of what it leaves out."""

import importlib
import json
import os

from .fields import Fields, anything, list_of, text
from .types import MetadataTensor

_VARIABLE = "MLSERVER_MODEL_"


class _FromEnvironment(Fields):
    """Fields that are not given are those of the environment's variables of their names."""

    def __init__(self, **given):
        for name, (make, _) in self.FIELDS.items():
            value = os.environ.get(_VARIABLE + name.upper())
            if name not in given and value is not None:
                given[name] = value if make is text else json.loads(value)
        super().__init__(**given)


class ModelParameters(_FromEnvironment):
    FIELDS = {
        "uri": (text, None),
        "version": (text, None),
        "environment_path": (text, None),
        "environment_tarball": (text, None),
        "inference_pool_gid": (text, None),
        "format": (text, None),
        "content_type": (text, None),
        "extra": (dict, {}),
    }
    EXTRA = True


class ModelSettings(_FromEnvironment):
    FIELDS = {
        "name": (text, ""),
        "implementation_": (text, ""),
        "platform": (text, ""),
        "versions": (list_of(text), []),
        "inputs": (list_of(MetadataTensor.model_validate), []),
        "outputs": (list_of(MetadataTensor.model_validate), []),
        "parallel_workers": (int, None),
        "warm_workers": (bool, False),
        "max_batch_size": (int, 0),
        "max_batch_time": (float, 0.0),
        "parameters": (ModelParameters.model_validate, None),
        "cache_enabled": (bool, False),
    }

    def __init__(self, **given):
        source = given.pop("_source", None)
        implementation = given.pop("implementation", None)
        if isinstance(implementation, type):
            implementation = f"{implementation.__module__}.{implementation.__qualname__}"
        if implementation is not None:
            given["implementation_"] = implementation
        super().__init__(**given)
        self.__dict__["_source"] = source

    @classmethod
    def parse_file(cls, path):
        with open(path, encoding="utf-8") as file:
            return cls(**json.load(file), _source=path)

    @property
    def implementation(self):
        module, _, name = self.implementation_.rpartition(".")
        return getattr(importlib.import_module(module), name)

    @property
    def version(self):
        return self.parameters.version if self.parameters is not None else None


class Settings(Fields):
    """Of the server; what code of models' reads of it is its own."""

    FIELDS = {"debug": (bool, False), "parallel_workers": (int, 1), "server_name": (text, "mlserver"), "extensions": (anything, [])}
    EXTRA = True
