"""Texts, and lists of what is written as texts."""

from typing import List

from ..types import Parameters, ResponseOutput
from .base import InputCodec, register_input_codec, register_request_codec
from .utils import SingleInputRequestCodec, request_input_of, values_of


def encode_str(text):
    return text.encode()


def decode_str(encoded, str_codec="utf-8"):
    return encoded.decode(str_codec) if isinstance(encoded, bytes) else encoded


class ColumnCodec(InputCodec):
    """Of lists, in a column of BYTES. A codec says by `text_of` how an item is written, and by `item_of` how a text, or
    its bytes, is read."""

    Item = type(None)  # what a list must have for this codec to be found by it

    @classmethod
    def text_of(cls, item):
        raise NotImplementedError()

    @classmethod
    def item_of(cls, value):
        raise NotImplementedError()

    @classmethod
    def can_encode(cls, payload):
        return isinstance(payload, list) and all(isinstance(item, cls.Item) for item in payload)

    @classmethod
    def encode_output(cls, name, payload, use_bytes=True, **kwargs):
        texts = [cls.text_of(item) for item in payload]
        return ResponseOutput(
            name=name, datatype="BYTES", shape=[len(texts), 1], data=[text.encode() for text in texts] if use_bytes else texts,
            parameters=Parameters(content_type=cls.ContentType),
        )  # fmt: skip

    @classmethod
    def decode_output(cls, response_output):
        return [cls.item_of(value) for value in values_of(response_output)]

    @classmethod
    def encode_input(cls, name, payload, use_bytes=True, **kwargs):
        return request_input_of(cls.encode_output(name, payload, use_bytes))

    @classmethod
    def decode_input(cls, request_input):
        return cls.decode_output(request_input)


@register_input_codec
class StringCodec(ColumnCodec):
    ContentType = "str"
    TypeHint = List[str]
    Item = str

    @classmethod
    def text_of(cls, item):
        return item

    @classmethod
    def item_of(cls, value):
        return decode_str(value)


@register_request_codec
class StringRequestCodec(SingleInputRequestCodec):
    InputCodec = StringCodec
    ContentType = StringCodec.ContentType
    TypeHint = List[str]
