"""Points in time, as ISO 8601."""

import datetime
from typing import List, Union

from .base import register_input_codec
from .string import ColumnCodec


@register_input_codec
class DatetimeCodec(ColumnCodec):
    ContentType = "datetime"
    TypeHint = List[Union[str, datetime.datetime]]
    Item = datetime.datetime

    @classmethod
    def text_of(cls, item):
        return item if isinstance(item, str) else item.isoformat()

    @classmethod
    def item_of(cls, value):
        return datetime.datetime.fromisoformat(value.decode("ascii") if isinstance(value, bytes) else value)
