"""Points in time, as ISO 8601."""

import datetime
from typing import List, Union

from .base import InputCodec, register_input_codec
from .string import column, is_list_of
from .utils import request_input_of, values_of


def _encode(item, use_bytes):
    text = item if isinstance(item, str) else item.isoformat()
    return text.encode("ascii") if use_bytes else text


def _decode(item):
    return datetime.datetime.fromisoformat(item.decode("ascii") if isinstance(item, bytes) else item)


@register_input_codec
class DatetimeCodec(InputCodec):
    ContentType = "datetime"
    TypeHint = List[Union[str, datetime.datetime]]

    @classmethod
    def can_encode(cls, payload):
        return is_list_of(payload, datetime.datetime)

    @classmethod
    def encode_output(cls, name, payload, use_bytes=True, **kwargs):
        return column(name, [_encode(item, use_bytes) for item in payload], cls.ContentType)

    @classmethod
    def decode_output(cls, response_output):
        return [_decode(item) for item in values_of(response_output)]

    @classmethod
    def encode_input(cls, name, payload, use_bytes=True, **kwargs):
        return request_input_of(cls.encode_output(name, payload, use_bytes))

    @classmethod
    def decode_input(cls, request_input):
        return cls.decode_output(request_input)
