"""The protocol's data types: values of each, and their bytes where they go without JSON."""

import math
import struct

FLOAT_MAX = struct.unpack("<f", b"\xff\xff\x7f\x7f")[0]

# {data type: (struct's letter, values, extremes among them)}
TYPES = {
    "BOOL": ("?", [True, False, True]),
    "UINT8": ("B", [0, 1, 255]),
    "UINT16": ("H", [0, 1, 2**16 - 1]),
    "UINT32": ("I", [0, 1, 2**32 - 1]),
    "UINT64": ("Q", [0, 1, 2**64 - 1]),
    "INT8": ("b", [-128, 0, 127]),
    "INT16": ("h", [-(2**15), 0, 2**15 - 1]),
    "INT32": ("i", [-(2**31), 0, 2**31 - 1]),
    "INT64": ("q", [-(2**63), 0, 2**63 - 1]),
    "FP16": ("e", [0.5, -2.0, 65504.0]),
    "FP32": ("f", [0.5, -0.1, FLOAT_MAX]),
    "FP64": ("d", [0.5, -0.1, 1.7976931348623157e308]),
    "BYTES": ("", ["", "größe ☃", 'a "quoted" \\ one\n']),
}
EXTENSIONS = {"BF16"}  # of some servers; nothing is asked of it
# What gRPC's typed contents of a data type are called; FP16 has none.
CONTENTS = {
    "BOOL": "bool_contents",
    "INT8": "int_contents",
    "INT16": "int_contents",
    "INT32": "int_contents",
    "INT64": "int64_contents",
    "UINT8": "uint_contents",
    "UINT16": "uint_contents",
    "UINT32": "uint_contents",
    "UINT64": "uint64_contents",
    "FP32": "fp32_contents",
    "FP64": "fp64_contents",
    "BYTES": "bytes_contents",
}


def values(datatype, count, is_echo):
    """`count` values: for a model that gives back what it gets, telling ones; for others, what nearly every model takes."""
    if is_echo:
        some = TYPES[datatype][1]
        return [some[i % len(some)] for i in range(count)]
    return [{"BOOL": False, "BYTES": "a"}.get(datatype, 0.0 if datatype.startswith("FP") else 0)] * count


def pack(datatype, flat):
    """Row-major bytes, little-endian; texts with their lengths before them."""
    if datatype != "BYTES":
        return struct.pack(f"<{len(flat)}{TYPES[datatype][0]}", *flat)
    encoded = [text.encode() if isinstance(text, str) else text for text in flat]
    return b"".join(struct.pack("<I", len(text)) + text for text in encoded)


def unpack(datatype, raw):
    if datatype != "BYTES":
        letter = TYPES[datatype][0]
        assert len(raw) % struct.calcsize(letter) == 0, f"{len(raw)} bytes are no number of whole {datatype}"
        return list(struct.unpack(f"<{len(raw) // struct.calcsize('<' + letter)}{letter}", raw))
    found, at = [], 0
    while at < len(raw):
        (length,) = struct.unpack_from("<I", raw, at)
        assert at + 4 + length <= len(raw), "a text is longer than what is left"
        found.append(raw[at + 4 : at + 4 + length].decode())
        at += 4 + length
    return found


def same(datatype, one, other):
    """Whether two lists are the same values of a data type: JSON's numbers are read at the type's precision."""
    return len(one) == len(other) and pack(datatype, one) == pack(datatype, other)


def is_of_type(datatype, value):
    """Whether a value in JSON has the kind that the data type calls for."""
    if datatype == "BOOL":
        return isinstance(value, bool)
    if datatype == "BYTES":
        return isinstance(value, str)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    return datatype.startswith("FP") or datatype == "BF16" or float(value).is_integer()


def flattened(data):
    """The elements of data that may be nested."""
    if not isinstance(data, list):
        return [data]
    return [one for part in data for one in flattened(part)]


def nested(flat, shape):
    """The same elements as rows within rows."""
    if len(shape) < 2:
        return flat
    step = math.prod(shape[1:])
    return [nested(flat[i * step : (i + 1) * step], shape[1:]) for i in range(shape[0])]
