"""How a function's annotations become a model's inputs and outputs, and arrays its arguments."""

import collections.abc
import dataclasses
import inspect
import io
import json
import types
import typing

import numpy as np

from modelmill.errors import Error, Errors
from modelmill.worker import frames

ANY = -1


class Tensor:
    """An array: `Tensor[np.float32, 3, 224, 224]`, `Tensor["FP32", -1]`. -1 or None is any size; without sizes it has
    one dimension of any size. Of a model with batch=N the sizes are those of one row, and the array has one more."""

    def __class_getitem__(cls, item):
        dtype, *sizes = item if isinstance(item, tuple) else (item,)
        sizes = [ANY if size is None else size for size in sizes] or [ANY]
        if any(not isinstance(size, int) or size < ANY for size in sizes):
            raise TypeError(f"Tensor: sizes are numbers from 0 on, -1 or None for any, not {sizes}")
        return _TensorType(_dtype_number(dtype), tuple(sizes))


@dataclasses.dataclass(frozen=True)
class _TensorType:
    dtype: int
    sizes: tuple


class Image:
    """A picture: PNG, JPEG or whatever Pillow reads, as bytes in a request, a PIL.Image.Image in Python."""


class Table:
    """A pandas.DataFrame: `Table[{"age": np.float32, "city": str}]`. Each column is an input or output of its own."""

    def __class_getitem__(cls, columns):
        return _TableType(tuple(columns.items()))


@dataclasses.dataclass(frozen=True)
class _TableType:
    columns: tuple


def _dtype_number(dtype):
    if isinstance(dtype, str) and dtype.upper().removeprefix("TYPE_") in frames.NUMBERS:
        return frames.NUMBERS[dtype.upper().removeprefix("TYPE_")]
    if dtype in (str, bytes):
        return frames.STRING
    number = frames.OF_NUMPY.get(np.dtype(dtype))
    if number is None:
        raise TypeError(f"{dtype!r} is not a type of tensors; there are {', '.join(frames.NUMBERS)}")
    return number


@dataclasses.dataclass
class Field:
    """One input or output: `read` makes a Python value of its array, `write` an array of the value. `rows` variants do
    it for a batch, whose arrays have a dimension more."""

    name: str
    dtype: int
    shape: tuple
    read: typing.Callable
    read_rows: typing.Callable
    write: typing.Callable
    optional: bool = False
    default: object = None

    def describe(self, batched):
        return {
            "name": self.name,
            "dtype": frames.NAMES[self.dtype],
            "shape": [ANY, *self.shape] if batched else list(self.shape),
            "optional": self.optional,
        }

    def write_rows(self, value, rows):
        array = self.write(value, 1)
        if array.ndim == 0 or array.shape[0] != rows:
            shape = list(array.shape)
            raise ValueError(f"output '{self.name}' has shape {shape} for {rows} rows; its first dimension must be {rows}")
        return array


def _field(name, annotation):
    """The Field of an annotation that is one input or output; None for others."""
    if isinstance(annotation, _TensorType):
        return array_field(name, annotation.dtype, annotation.sizes)
    origin = typing.get_origin(annotation)
    if origin in (list, collections.abc.Sequence):
        item = _field(name, typing.get_args(annotation)[0])
        if item is None or item.shape:
            return None
        return dataclasses.replace(item, shape=(ANY,), read=item.read_rows, write=lambda v, more, i=item: i.write(v, more + 1))
    if annotation is str:
        return _text_field(name, bytes.decode, lambda text: _checked(name, text, str))
    if annotation is bytes:
        return _text_field(name, lambda data: data, lambda data: _checked(name, data, bytes))
    if annotation is Image or _is_pillow(annotation):
        return _text_field(name, _open_image, _save_image)
    if annotation in (int, float, bool) or (isinstance(annotation, type) and issubclass(annotation, np.generic)):
        return _scalar_field(name, annotation)
    return None


def array_field(name, dtype, sizes):
    def write(value, more):
        array = _as_array(name, value, dtype)
        if array.ndim != len(sizes) + more:
            raise ValueError(f"output '{name}' has shape {list(array.shape)}; {len(sizes) + more} dimensions were expected")
        return array

    return Field(name, dtype, sizes, lambda array: array, lambda array: array, write)


def _scalar_field(name, kind):
    dtype = _dtype_number({int: np.int64, float: np.float64, bool: np.bool_}.get(kind, kind))
    read = (lambda array: kind(array[()])) if kind in (int, float, bool) else (lambda array: array[()])
    return Field(name, dtype, (), read, lambda array: array, lambda value, more: _as_array(name, value, dtype))


def _text_field(name, decode, encode):
    def one(array):
        return _decoded(name, decode, array[()])

    def rows(array):
        return [_decoded(name, decode, item) for item in array.ravel().tolist()]

    def write(value, more):
        if more == 0:
            array = np.empty((), object)
            array[()] = encode(value)
            return array
        items = [encode(item) for item in value]
        array = np.empty(len(items), object)
        array[:] = items
        return array

    return Field(name, frames.STRING, (), one, rows, write)


def _checked(name, value, kind):
    if not isinstance(value, kind):
        raise TypeError(f"output '{name}' is {type(value).__name__}, not {kind.__name__}")
    return value


def _decoded(name, decode, data):
    try:
        return decode(data)
    except Error:
        raise
    except Exception as error:
        raise Error(f"input '{name}': {error}") from None


def _as_array(name, value, dtype):
    if hasattr(value, "detach"):  # of torch
        value = value.detach().cpu().numpy()
    if dtype == frames.STRING:
        return np.asarray(value, object)
    wanted = frames.NUMPY[dtype]
    array = np.asarray(value)
    if dtype == frames.BF16 and wanted == np.uint16 and array.dtype.kind in "bif":
        return frames.bf16_bits(array)
    if array.dtype != wanted:
        if array.dtype.kind not in "biuf" and array.dtype.kind != wanted.kind:
            raise ValueError(f"output '{name}' is {array.dtype}, which does not become {frames.NAMES[dtype]}")
        array = array.astype(wanted)
    return array


def _is_pillow(annotation):
    return getattr(annotation, "__module__", "") == "PIL.Image" and getattr(annotation, "__name__", "") == "Image"


def _open_image(data):
    import PIL.Image

    try:
        image = PIL.Image.open(io.BytesIO(data))
        image.load()
    except Exception as error:
        raise Error(f"this is no picture: {error}") from None
    return image


def _save_image(image):
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


def _is_pydantic(annotation):
    return isinstance(annotation, type) and hasattr(annotation, "model_fields") and hasattr(annotation, "model_validate")


def _json_field(name):
    def decode(data):
        return json.loads(data)

    return _text_field(name, decode, lambda value: json.dumps(value).encode())


def _optional(annotation):
    """(the annotation without None, whether it allowed that)"""
    if typing.get_origin(annotation) in (typing.Union, types.UnionType if hasattr(types, "UnionType") else typing.Union):
        kinds = [kind for kind in typing.get_args(annotation) if kind is not type(None)]
        if len(kinds) == 1 and len(kinds) < len(typing.get_args(annotation)):
            return kinds[0], True
    return annotation, False


class Structure:
    """Several inputs or outputs that are one value in Python: a table, a pydantic model, a dataclass, a named tuple, a
    dictionary."""

    def __init__(self, annotation):
        self.annotation = annotation
        self.table = isinstance(annotation, _TableType)
        self.pydantic = _is_pydantic(annotation)
        self.fields = [self._make_field(*item) for item in self._members()]

    def _members(self):
        annotation = self.annotation
        if self.table:
            return [(name, kind, False, None) for name, kind in annotation.columns]
        if self.pydantic:
            return [
                (name, field.annotation, not field.is_required(), field.get_default(call_default_factory=True))
                for name, field in annotation.model_fields.items()
            ]
        if isinstance(annotation, dict):
            return [(name, kind, False, None) for name, kind in annotation.items()]
        return [(name, kind, False, None) for name, kind in typing.get_type_hints(annotation).items()]

    def _make_field(self, name, annotation, optional, default):
        annotation, none = _optional(annotation)
        field = _field(name, annotation)
        if field is None and self.pydantic:
            field = _json_field(name)
        if field is None:
            raise TypeError(f"'{name}' is annotated {annotation!r}, which is no type of inputs and outputs")
        if self.table:  # columns of rows, whether batched or not
            field = dataclasses.replace(field, shape=(ANY,), read=field.read_rows, write=lambda v, _, f=field: f.write(v, 1))
        return dataclasses.replace(field, optional=optional or none, default=default)

    def build(self, values):
        """The value of {name: what its field has read}."""
        if self.table:
            import pandas

            return pandas.DataFrame(values)
        if self.pydantic:
            try:
                return self.annotation.model_validate(values)
            except ValueError as error:
                raise Error(str(error)) from None
        return self.annotation(**values) if not isinstance(self.annotation, dict) else values

    def take(self, value):
        """What each field has to write, in their order."""
        names = [field.name for field in self.fields]
        if self.table:
            return [value[name].to_numpy() if hasattr(value[name], "to_numpy") else value[name] for name in names]
        if self.pydantic and not isinstance(value, dict):
            dumped = value.model_dump(mode="json")
            return [dumped[name] if field.dtype == frames.STRING else getattr(value, name) for name, field in zip(names, self.fields)]  # fmt: skip
        return [value[name] if isinstance(value, dict) else getattr(value, name) for name in names]

    def take_rows(self, value):
        if isinstance(value, list):  # of one for each row
            taken = [self.take(item) for item in value]
            return [[row[i] for row in taken] for i in range(len(self.fields))]
        return self.take(value)


def _is_structure(annotation):
    if isinstance(annotation, (dict, _TableType)) or _is_pydantic(annotation):
        return True
    return isinstance(annotation, type) and (
        dataclasses.is_dataclass(annotation) or hasattr(annotation, "_fields") or typing.is_typeddict(annotation)
    )


class Argument:
    """An argument of the model's function, and the inputs that it is made of."""

    def __init__(self, parameter, annotation, batched):
        self.name, self.batched = parameter.name, batched
        annotation, none = _optional(annotation)
        if batched and typing.get_origin(annotation) in (list, collections.abc.Sequence):
            annotation = typing.get_args(annotation)[0]  # list[str]: a str for each row
        self.structure = Structure(annotation) if _is_structure(annotation) else None
        self.has_default = parameter.default is not inspect.Parameter.empty
        if self.structure:
            self.fields = self.structure.fields
            return
        field = _field(parameter.name, annotation)
        if field is None:
            raise TypeError(_no_type(f"argument '{parameter.name}'", annotation))
        if self.has_default or none:
            field.optional, field.default = True, parameter.default if self.has_default else None
        self.fields = [field]

    def read(self, arrays, rows):
        """The argument of {field's name: array}; those that the client left out are missing."""
        values = {}
        for field in self.fields:
            array = arrays.get(field.name)
            if array is None and not field.optional:
                raise Error(f"input '{field.name}' is missing")
            if array is None:
                values[field.name] = field.default
            else:
                values[field.name] = (field.read_rows if self.batched else field.read)(array)
        if self.structure is None:
            return values[self.name]
        if not self.batched or self.structure.table:
            return self.structure.build(values)
        columns = {n: [v] * rows if n not in arrays else v for n, v in values.items()}
        return [self.structure.build({n: v[i] for n, v in columns.items()}) for i in range(rows)]


class Returns:
    """What a model's function returns, and the outputs that become of it."""

    def __init__(self, annotation, batched, name):
        self.batched = batched
        if batched and typing.get_origin(annotation) in (list, collections.abc.Sequence):
            annotation = typing.get_args(annotation)[0]
        self.structure = Structure(annotation) if _is_structure(annotation) else None
        if self.structure:
            self.fields = self.structure.fields
            return
        field = _field(name, annotation)
        if field is None:
            raise TypeError(_no_type("what it returns", annotation))
        self.fields = [field]

    @property
    def types(self):
        """The numbers of the fields' types."""
        return [field.dtype for field in self.fields]

    def write(self, value):
        """The arrays of a returned value, in the order of the fields."""
        values = [value] if self.structure is None else self.structure.take(value)
        return [field.write(one, 0) for field, one in zip(self.fields, values)]

    def write_rows(self, value, rows):
        """(the arrays of what a batch of `rows` returned, {row: the error in its place}). None instead of the arrays when
        all rows have failed."""
        errors = {}
        if isinstance(value, Errors):
            value, errors = value.results, value.errors
            if any(not 0 <= row < rows for row in errors):
                raise ValueError(f"modelmill.Errors names rows {sorted(errors)} of a batch of {rows}")
        value = _without_errors(value, errors)
        if errors and len(errors) == rows:
            return None, errors
        columns = [value] if self.structure is None else self.structure.take_rows(value)
        columns = [_without_errors(column, errors) for column in columns]
        if errors and len(errors) == rows:
            return None, errors
        return [field.write_rows(column, rows) for field, column in zip(self.fields, columns)], errors


def _without_errors(values, errors):
    """A list with another row in the place of each error, which is noted in `errors`; anything else as it is."""
    if not isinstance(values, list):
        return values
    found = {row: item for row, item in enumerate(values) if isinstance(item, Exception)}
    if not found:
        return values
    errors.update(found)
    good = next((item for item in values if not isinstance(item, Exception)), None)
    return [good if row in found else item for row, item in enumerate(values)]


def _no_type(what, annotation):
    if annotation is inspect.Parameter.empty:
        return f"{what} has no annotation, so that nobody can know what to send; such as `x: Tensor[np.float32, -1]`"
    if annotation is np.ndarray:
        return f"{what} is annotated np.ndarray, without type and shape; write Tensor[np.float32, -1]"
    return f"{what} is annotated {annotation!r}, which is no type of inputs and outputs"
