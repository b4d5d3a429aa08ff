"""Objects with named fields, made of keywords or dictionaries as pydantic's are, of which only those that were set are
shown."""

import copy
import enum
import json

REQUIRED = object()


class Fields:
    """`FIELDS` of a class: {name: (what makes a value of what is given, the default or REQUIRED)}. With EXTRA other names
    are kept too, else passed over: apart from the object's own attributes, so that none of them hides a method or what the
    package keeps here, whose names begin with an underscore."""

    FIELDS = {}
    EXTRA = False

    def __init__(self, /, **given):
        self.__dict__.update(_set=set(), _extra={})
        for name, (make, default) in self.FIELDS.items():
            if name in given:
                self._take(name, make, given.pop(name))
            elif default is REQUIRED:
                raise ValueError(f"{type(self).__name__}: '{name}' is missing")
            else:
                self.__dict__[name] = copy.copy(default)
        if self.EXTRA:
            self._extra.update(given)
            self._set.update(given)

    def _take(self, name, make, value):
        try:
            self.__dict__[name] = make(value) if value is not None else None
        except (TypeError, ValueError) as error:
            raise ValueError(f"{type(self).__name__}: '{name}': {error}") from None
        self._set.add(name)

    def __getattr__(self, name):
        extra = self.__dict__.get("_extra", {})
        if name.startswith("_") or name not in extra:
            raise AttributeError(f"{type(self).__name__} has no '{name}'")
        return extra[name]

    def __delattr__(self, name):
        if name in self._extra and name not in self.__dict__:
            del self._extra[name]
        else:
            super().__delattr__(name)

    def __setattr__(self, name, value):
        extra = self.EXTRA and name not in self.FIELDS and not name.startswith("_")
        (self._extra if extra else self.__dict__)[name] = value
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
        values = {
            name: dumped(value, exclude_unset, exclude_none)
            for name, value in self._shown()
            if name in self._set or not exclude_unset
        }
        return {name: value for name, value in values.items() if value is not None or not exclude_none}

    def _shown(self):
        own = [(name, value) for name, value in self.__dict__.items() if not name.startswith("_")]
        return own + list(self._extra.items())

    dict = model_dump

    def model_dump_json(self, **options):
        return json.dumps(self.model_dump(**options), default=_plain)

    json = model_dump_json

    def model_copy(self, update=None, deep=False):
        made = (copy.deepcopy if deep else copy.copy)(self)
        made.__dict__.update(_set=set(self._set), _extra=made._extra if deep else {**self._extra})
        for name, value in (update or {}).items():
            setattr(made, name, value)
        return made

    copy = model_copy

    def __eq__(self, other):
        return type(self) is type(other) and self.model_dump(False) == other.model_dump(False)

    __hash__ = None

    def __repr__(self):
        shown = ", ".join(f"{name}={value!r}" for name, value in self._shown())
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
