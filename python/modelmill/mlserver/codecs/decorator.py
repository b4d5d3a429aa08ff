"""@decode_args: predict() with inputs as annotated arguments, and outputs as what it returns."""

import functools
import typing

from ..types import InferenceRequest, InferenceResponse
from .base import InputCodec, find_input_codec, find_request_codec
from .errors import CodecNotFound, InputsNotFound, OutputNotFound


def _several(value):
    if value is None:
        return []
    if isinstance(value, tuple):
        return list(value)
    return list(typing.get_args(value)) if typing.get_origin(value) is tuple else [value]


def _without_none(hint):
    kinds = typing.get_args(hint)
    if type(None) in kinds and len(kinds) == 2:
        return next(kind for kind in kinds if kind is not type(None))
    return hint


def _codec_of(hint, name=None, is_input=False):
    codec = find_input_codec(type_hint=hint) or find_request_codec(type_hint=hint)
    if codec is None:
        raise CodecNotFound(name=name, payload_type=str(hint), is_input=is_input)
    return codec


def _is_input_codec(codec):
    return issubclass(codec if isinstance(codec, type) else type(codec), InputCodec)


class SignatureCodec:
    def __init__(self, predict):
        hints = {name: _without_none(hint) for name, hint in typing.get_type_hints(predict).items()}
        self._output_hints = _several(hints.pop("return", None))
        self._inputs = {name: _codec_of(hint, name, True) for name, hint in hints.items()}
        self._outputs = [_codec_of(hint) for hint in self._output_hints]

    def decode_request(self, request):
        values, rest = {}, []
        for one in request.inputs:
            codec = self._inputs.get(one.name)
            if codec is None:
                rest.append(one)
            elif not _is_input_codec(codec):
                raise CodecNotFound(name=one.name, is_input=True)
            else:
                values[one.name] = codec.decode_input(one)
        if rest:
            name = next((name for name, codec in self._inputs.items() if not _is_input_codec(codec)), None)
            if name is None:
                raise InputsNotFound(rest, self._inputs)
            values[name] = self._inputs[name].decode_request(InferenceRequest(inputs=rest))
        return values

    def encode_response(self, model_name, payload, model_version=None):
        outputs = []
        for place, value in enumerate(_several(payload)):
            if place >= len(self._outputs) or not self._outputs[place].can_encode(value):
                raise OutputNotFound(place, type(value), self._output_hints)
            codec = self._outputs[place]
            if _is_input_codec(codec):
                outputs.append(codec.encode_output(name=f"output-{place}", payload=value))
            else:
                outputs += codec.encode_response(model_name="", payload=value).outputs
        return InferenceResponse(model_name=model_name, model_version=model_version, outputs=outputs)


def decode_args(predict):
    codec = SignatureCodec(predict)

    @functools.wraps(predict)
    async def decoded(self, request):
        outputs = await predict(self, **codec.decode_request(request))
        return codec.encode_response(self.name, outputs, self.version)

    return decoded
