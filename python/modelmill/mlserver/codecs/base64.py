"""Bytes that go through JSON."""

import base64
import binascii
from typing import List

from .base import InputCodec, register_input_codec
from .string import column, is_list_of
from .utils import request_input_of, values_of


def _bytes(item):
    return item.encode("ascii") if isinstance(item, str) else item


def _decode(item):
    try:
        return base64.b64decode(_bytes(item), validate=True)
    except binascii.Error:
        return _bytes(item)


@register_input_codec
class Base64Codec(InputCodec):
    ContentType = "base64"
    TypeHint = List[bytes]

    @classmethod
    def can_encode(cls, payload):
        return is_list_of(payload, bytes)

    @classmethod
    def encode_output(cls, name, payload, use_bytes=True, **kwargs):
        encoded = [base64.b64encode(_bytes(item)) for item in payload]
        return column(name, encoded if use_bytes else [item.decode("ascii") for item in encoded], cls.ContentType)

    @classmethod
    def decode_output(cls, response_output):
        return [_decode(item) for item in values_of(response_output)]

    @classmethod
    def encode_input(cls, name, payload, use_bytes=True, **kwargs):
        return request_input_of(cls.encode_output(name, payload, use_bytes))

    @classmethod
    def decode_input(cls, request_input):
        return cls.decode_output(request_input)
