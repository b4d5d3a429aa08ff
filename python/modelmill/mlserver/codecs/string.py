"""Texts."""

from typing import List

from ..types import Parameters, ResponseOutput
from .base import InputCodec, register_input_codec, register_request_codec
from .utils import SingleInputRequestCodec, request_input_of, values_of


def encode_str(text):
    return text.encode()


def decode_str(encoded, str_codec="utf-8"):
    return encoded.decode(str_codec) if isinstance(encoded, bytes) else encoded


def is_list_of(payload, kind):
    return isinstance(payload, list) and all(isinstance(item, kind) for item in payload)


def column(name, values, content_type):
    """A tensor of BYTES."""
    parameters = Parameters(content_type=content_type)
    return ResponseOutput(name=name, datatype="BYTES", shape=[len(values), 1], data=values, parameters=parameters)


@register_input_codec
class StringCodec(InputCodec):
    ContentType = "str"
    TypeHint = List[str]

    @classmethod
    def can_encode(cls, payload):
        return is_list_of(payload, str)

    @classmethod
    def encode_output(cls, name, payload, use_bytes=True, **kwargs):
        return column(name, [encode_str(text) for text in payload] if use_bytes else list(payload), cls.ContentType)

    @classmethod
    def decode_output(cls, response_output):
        return [decode_str(item) for item in values_of(response_output)]

    @classmethod
    def encode_input(cls, name, payload, use_bytes=True, **kwargs):
        return request_input_of(cls.encode_output(name, payload, use_bytes))

    @classmethod
    def decode_input(cls, request_input):
        return cls.decode_output(request_input)


@register_request_codec
class StringRequestCodec(SingleInputRequestCodec):
    InputCodec = StringCodec
    ContentType = StringCodec.ContentType
    TypeHint = List[str]
