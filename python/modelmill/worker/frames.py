"""What the server and a worker say to each other; backends/python/frames.h is the other side of it."""

import enum
import struct

import numpy as np

PROTOCOL = 2


class Frame(enum.IntEnum):
    HELLO = 1
    EXECUTE = 2
    CANCEL = 3
    ACK = 4
    STOP = 5
    CALL_RESULT = 6
    MODELS_RESULT = 7
    REGION = 16
    READY = 32
    FAILED = 33
    RESPONSE = 34
    FREE = 35
    CALL = 36
    METRIC_NEW = 37
    METRIC_UPDATE = 38
    LOG = 39
    CALL_CANCEL = 40
    MODELS = 41
    READINESS = 42


HEADER = struct.Struct("<IHHQ")  # size, type, whether a descriptor comes along, id
TENSOR = struct.Struct("<HBBIQQ")  # index, dtype, rank, region, offset, size
EXECUTE = struct.Struct("<IIII")  # flags, requests, tensors, bytes of JSON
REQUEST = struct.Struct("<II")  # rows, tensors
RESPONSE = struct.Struct("<IIIQ")  # flags, entries, region and offset of the block
ANSWER = struct.Struct("<IBBHI")  # request, kind, final, tensors or code, bytes of text
CALL = struct.Struct("<QqIQHHI")  # execution, version, block's region, its offset, tensors, bytes: name, JSON
CALL_RESULT = struct.Struct("<QBBHI")  # what FREE names, kind, final, tensors or code, bytes of text
MODELS = struct.Struct("<BqIQHHI")  # action, version, block's region, its offset, files, bytes: name, configuration
MODELS_RESULT = struct.Struct("<HBI")  # code, whether it is ready, bytes of text
REGION = struct.Struct("<IQ")
NUMBER = struct.Struct("<I")
LENGTH = struct.Struct("<H")
UPDATE = struct.Struct("<Qd")

GATHERED = 1  # flag of EXECUTE and RESPONSE
KEEPS_INPUTS = 2  # flag of RESPONSE
SERVER_MEMORY = 1 << 31
NO_REGION = 0xFFFFFFFF
OUTPUTS, ERROR, END = 0, 1, 2  # kinds of answers
LOAD, UNLOAD, IS_READY, UNLOAD_WITH_MEMBERS = 1, 2, 3, 4  # actions of MODELS

STRING, BF16 = 13, 14
_NAMES = "BOOL UINT8 UINT16 UINT32 UINT64 INT8 INT16 INT32 INT64 FP16 FP32 FP64 STRING BF16".split()
NUMBERS = {name: number for number, name in enumerate(_NAMES, 1)}
NUMBERS["BYTES"] = STRING
NAMES = {number: name for name, number in NUMBERS.items() if name != "BYTES"}

try:
    from ml_dtypes import bfloat16
except ImportError:
    bfloat16 = np.uint16  # its bits, see bf16_bits()
NUMPY = {
    1: np.dtype(np.bool_), 2: np.dtype(np.uint8), 3: np.dtype(np.uint16), 4: np.dtype(np.uint32), 5: np.dtype(np.uint64),
    6: np.dtype(np.int8), 7: np.dtype(np.int16), 8: np.dtype(np.int32), 9: np.dtype(np.int64), 10: np.dtype(np.float16),
    11: np.dtype(np.float32), 12: np.dtype(np.float64), 13: np.dtype(object), 14: np.dtype(bfloat16),
}  # fmt: skip
OF_NUMPY = {dtype: number for number, dtype in NUMPY.items() if number != BF16 or dtype != np.uint16}


def bf16_bits(values):
    """An array of floats as BF16, rounded to even, in the bits that stand for it where ml_dtypes is not installed."""
    bits = np.ascontiguousarray(values, np.float32).view(np.uint32)
    rounded = (bits + (np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1)))) >> np.uint32(16)
    return np.where(np.isnan(values), (bits >> np.uint32(16)) | np.uint32(0x40), rounded).astype(np.uint16)


CODES = {
    name: number
    for number, name in enumerate(
        "OK CANCELLED UNKNOWN INVALID_ARGUMENT DEADLINE_EXCEEDED NOT_FOUND ALREADY_EXISTS PERMISSION_DENIED "
        "RESOURCE_EXHAUSTED FAILED_PRECONDITION ABORTED OUT_OF_RANGE UNIMPLEMENTED INTERNAL UNAVAILABLE DATA_LOSS "
        "UNAUTHENTICATED".split()
    )
}
CODE_NAMES = {number: name for name, number in CODES.items()}


def frame(kind, number, *parts):
    """A frame as bytes."""
    return HEADER.pack(HEADER.size + sum(map(len, parts)), kind, 0, number) + b"".join(parts)
