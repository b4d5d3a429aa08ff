"""Requests and answers of the V2 protocol, as MLServer's code sees them."""

import enum

from .fields import REQUIRED, Fields, anything, list_of, text


class Datatype(enum.Enum):
    BOOL = "BOOL"
    UINT8 = "UINT8"
    UINT16 = "UINT16"
    UINT32 = "UINT32"
    UINT64 = "UINT64"
    INT8 = "INT8"
    INT16 = "INT16"
    INT32 = "INT32"
    INT64 = "INT64"
    FP16 = "FP16"
    FP32 = "FP32"
    FP64 = "FP64"
    BYTES = "BYTES"


class State(enum.Enum):
    UNKNOWN = "UNKNOWN"
    READY = "READY"
    UNAVAILABLE = "UNAVAILABLE"
    LOADING = "LOADING"
    UNLOADING = "UNLOADING"


class TensorData:
    """A tensor's values, a list as a rule. One that was made of an array is that until somebody looks at the list."""

    def __init__(self, root=None):
        self._root, self._array = root, None

    @classmethod
    def of_array(cls, array):
        made = cls()
        made._array = array
        return made

    @classmethod
    def model_validate(cls, given):
        return given if isinstance(given, cls) else cls(given)

    parse_obj = model_validate

    @property
    def held_array(self):
        return self._array

    @property
    def root(self):
        if self._array is not None:
            self._root, self._array = self._array.tolist(), None
        return self._root

    @root.setter
    def root(self, value):
        self._root, self._array = value, None

    __root__ = root

    def model_dump(self, **_):
        return self.root

    def __iter__(self):
        return iter(self.root)

    def __getitem__(self, index):
        return self.root[index]

    def __len__(self):
        return len(self.root) if self._array is None else len(self._array)

    def __eq__(self, other):
        return isinstance(other, TensorData) and self.root == other.root

    __hash__ = None

    def __str__(self):
        return f"root={self.root!r}"

    def __repr__(self):
        return f"TensorData({self})"


def _datatype(given):
    return Datatype(given).value


_sizes = list_of(int)


class Parameters(Fields):
    FIELDS = {"content_type": (text, None), "headers": (dict, None)}
    EXTRA = True


_parameters = (Parameters.model_validate, None)
_TENSOR = {
    "name": (text, REQUIRED),
    "shape": (_sizes, REQUIRED),
    "datatype": (_datatype, REQUIRED),
    "parameters": _parameters,
    "data": (TensorData.model_validate, REQUIRED),
}


class RequestInput(Fields):
    FIELDS = _TENSOR


class ResponseOutput(Fields):
    FIELDS = _TENSOR


class RequestOutput(Fields):
    FIELDS = {"name": (text, REQUIRED), "parameters": _parameters}


class MetadataTensor(Fields):
    FIELDS = {
        "name": (text, REQUIRED),
        "datatype": (_datatype, REQUIRED),
        "shape": (_sizes, REQUIRED),
        "parameters": _parameters,
    }


class InferenceRequest(Fields):
    FIELDS = {
        "id": (text, None),
        "parameters": _parameters,
        "inputs": (list_of(RequestInput.model_validate), REQUIRED),
        "outputs": (list_of(RequestOutput.model_validate), None),
    }


class InferenceResponse(Fields):
    FIELDS = {
        "model_name": (text, REQUIRED),
        "model_version": (text, None),
        "id": (text, None),
        "parameters": _parameters,
        "outputs": (list_of(ResponseOutput.model_validate), REQUIRED),
    }


class InferenceErrorResponse(Fields):
    FIELDS = {"error": (text, None)}


class MetadataModelResponse(Fields):
    FIELDS = {
        "name": (text, REQUIRED),
        "versions": (list_of(text), None),
        "platform": (text, REQUIRED),
        "inputs": (list_of(MetadataTensor.model_validate), None),
        "outputs": (list_of(MetadataTensor.model_validate), None),
        "parameters": _parameters,
    }


class MetadataModelErrorResponse(Fields):
    FIELDS = {"error": (text, REQUIRED)}


class MetadataServerResponse(Fields):
    FIELDS = {"name": (text, REQUIRED), "version": (text, REQUIRED), "extensions": (list_of(anything), REQUIRED)}


class MetadataServerErrorResponse(Fields):
    FIELDS = {"error": (text, REQUIRED)}
