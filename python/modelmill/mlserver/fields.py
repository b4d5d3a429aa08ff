"""Objects with named fields, made of keywords or dictionaries as pydantic's are, of which only those that were set are
shown."""

import copy
import enum
import json

REQUIRED = object()


class Fields:
    """`FIELDS` of a class: {name: (what makes a value of what is given, the default or REQUIRED)}. With EXTRA other names
    are kept too, else passed over."""

    FIELDS = {}
    EXTRA = False

    def __init__(self, **given):
        self.__dict__["_set"] = set()
        for name, (make, default) in self.FIELDS.items():
            if name in given:
                self._take(name, make, given.pop(name))
            elif default is REQUIRED:
                raise ValueError(f"{type(self).__name__}: '{name}' is missing")
            else:
                self.__dict__[name] = copy.copy(default)
        if self.EXTRA:
            self.__dict__.update(given)
            self._set.update(given)

    def _take(self, name, make, value):
        try:
            self.__dict__[name] = make(value) if value is not None else None
        except (TypeError, ValueError) as error:
            raise ValueError(f"{type(self).__name__}: '{name}': {error}") from None
        self._set.add(name)

    def __setattr__(self, name, value):
        self.__dict__[name] = value
        if not name.startswith("_") and not isinstance(getattr(type(self), name, None), property):
            self._set.add(name)

    @classmethod
    def model_validate(cls, given):
        return given if isinstance(given, cls) else cls(**given)

    parse_obj = model_validate

    @classmethod
    def model_validate_json(cls, text):
        return cls.model_validate(json.loads(text))

    parse_raw = model_validate_json

    @property
    def model_fields_set(self):
        return set(self._set)

    def model_dump(self, exclude_unset=True, exclude_none=True, **_):
        names = [name for name in self.__dict__ if not name.startswith("_") and (name in self._set or not exclude_unset)]
        values = {name: dumped(self.__dict__[name], exclude_unset, exclude_none) for name in names}
        return {name: value for name, value in values.items() if value is not None or not exclude_none}

    dict = model_dump

    def model_dump_json(self, **options):
        return json.dumps(self.model_dump(**options), default=_plain)

    json = model_dump_json

    def model_copy(self, update=None, deep=False):
        made = (copy.deepcopy if deep else copy.copy)(self)
        made.__dict__["_set"] = set(self._set)
        for name, value in (update or {}).items():
            setattr(made, name, value)
        return made

    copy = model_copy

    def __eq__(self, other):
        return type(self) is type(other) and self.model_dump(False) == other.model_dump(False)

    __hash__ = None

    def __repr__(self):
        shown = ", ".join(f"{name}={value!r}" for name, value in self.__dict__.items() if not name.startswith("_"))
        return f"{type(self).__name__}({shown})"


def dumped(value, exclude_unset=True, exclude_none=True):
    if isinstance(value, Fields):
        return value.model_dump(exclude_unset, exclude_none)
    if hasattr(value, "root"):
        return value.root
    if isinstance(value, list):
        return [dumped(item, exclude_unset, exclude_none) for item in value]
    return value.value if isinstance(value, enum.Enum) else value


def _plain(value):
    if isinstance(value, bytes):
        return value.decode()
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} has no place in JSON")


def anything(value):
    return value


def text(value):
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no string")
    return value


def list_of(make):
    def values(given):
        if not isinstance(given, (list, tuple)):
            raise TypeError(f"{given!r} is no list")
        return [make(item) for item in given]

    return values
