"""Bytes that go through JSON."""

import base64
import binascii
from typing import List

from .base import register_input_codec
from .string import ColumnCodec


def _bytes(item):
    return item.encode("ascii") if isinstance(item, str) else item


@register_input_codec
class Base64Codec(ColumnCodec):
    ContentType = "base64"
    TypeHint = List[bytes]
    Item = bytes

    @classmethod
    def text_of(cls, item):
        return base64.b64encode(_bytes(item)).decode("ascii")

    @classmethod
    def item_of(cls, value):
        try:
            return base64.b64decode(_bytes(value), validate=True)
        except binascii.Error:
            return _bytes(value)
