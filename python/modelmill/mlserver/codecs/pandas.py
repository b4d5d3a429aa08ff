"""Tables, a tensor for each column. pandas is imported when one is made; who annotates one has it already."""

import json
import sys

import numpy as np

from ..errors import MLServerError
from ..types import InferenceRequest, InferenceResponse, Parameters, ResponseOutput
from .base import RequestCodec, register_request_codec
from .numpy import convert_nan, to_datatype, to_dtype
from .string import StringCodec, encode_str
from .utils import get_decoded_or_raw, has_decoded, inject_batch_dimension, request_input_of, values_of

_JSON = "pd_json"


class _TableHint:
    """The class attribute that is pandas.DataFrame once pandas is there."""

    def __get__(self, instance, owner):
        return getattr(sys.modules.get("pandas"), "DataFrame", None)


def _pandas():
    try:
        import pandas
    except ImportError:
        raise MLServerError(
            f"tables need pandas, which '{sys.executable}' has not; name it in a requirements.txt beside "
            "model-settings.json", 500,
        ) from None  # fmt: skip
    return pandas


def _series_of(tensor):
    pandas = _pandas()
    if tensor.parameters and tensor.parameters.content_type == _JSON:
        return pandas.Series([json.loads(item) for item in values_of(tensor)])
    decoded = get_decoded_or_raw(tensor) if has_decoded(tensor) else tensor.data.root
    if tensor.datatype == "BYTES":
        return pandas.Series(decoded)
    if isinstance(decoded, np.ndarray):
        decoded = decoded.reshape(tensor.shape[0], 1).squeeze(axis=1)
    return pandas.Series(decoded, dtype=to_dtype(tensor))


def _json_text(value, use_bytes):
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=lambda other: other.tolist())
    return text.encode() if use_bytes else text


def _texts(values, use_bytes):
    """(values as a tensor has them, their content type)"""
    if any(not isinstance(value, (str, bytes)) for value in values):
        return [_json_text(value, use_bytes) for value in values], _JSON
    if use_bytes:
        values = [encode_str(value) if isinstance(value, str) else value for value in values]
    return values, StringCodec.ContentType


def _is_text(dtype):
    return dtype.kind in "OSU" or str(dtype) in ("str", "string")  # of pandas' own


def _output_of(series, use_bytes):
    values, content_type, datatype = series.tolist(), None, "BYTES"
    if _is_text(series.dtype):
        values, content_type = _texts(values, use_bytes)
    else:
        datatype = to_datatype(series.dtype)
        if series.isnull().any():
            values = [convert_nan(value) for value in values]
    about = {"parameters": Parameters(content_type=content_type)} if content_type else {}
    shape = inject_batch_dimension(list(series.shape))
    return ResponseOutput(name=str(series.name), shape=shape, data=values, datatype=datatype, **about)


@register_request_codec
class PandasCodec(RequestCodec):
    ContentType = "pd"
    JsonContentType = _JSON
    TypeHint = _TableHint()

    @classmethod
    def can_encode(cls, payload):
        table = cls.TypeHint
        return table is not None and isinstance(payload, table)

    @classmethod
    def encode_outputs(cls, payload, use_bytes=True):
        return [_output_of(payload[name], use_bytes) for name in payload]

    @classmethod
    def encode_response(cls, model_name, payload, model_version=None, use_bytes=True, **kwargs):
        return InferenceResponse(
            model_name=model_name, model_version=model_version, parameters=Parameters(content_type=cls.ContentType),
            outputs=cls.encode_outputs(payload, use_bytes),
        )  # fmt: skip

    @classmethod
    def encode_request(cls, payload, use_bytes=True, **kwargs):
        inputs = [request_input_of(output) for output in cls.encode_outputs(payload, use_bytes)]
        return InferenceRequest(inputs=inputs, parameters=Parameters(content_type=cls.ContentType))

    @classmethod
    def decode_response(cls, response):
        return _pandas().DataFrame({output.name: _series_of(output) for output in response.outputs})

    @classmethod
    def decode_request(cls, request):
        return _pandas().DataFrame({one.name: _series_of(one) for one in request.inputs})
