"""Arrays as DLPack's capsules and back. numpy does it for what it knows; BF16, which it doesn't, is done here."""

import ctypes

import numpy as np

from .errors import TritonModelException

CPU = (1, 0)  # device type and number
_PINNED = 3
_BFLOAT = 4  # DLPack's code of the kind of number
_NAME, _USED = b"dltensor", b"used_dltensor"


class _Tensor(ctypes.Structure):
    _fields_ = [
        ("data", ctypes.c_void_p),
        ("device_type", ctypes.c_int32),
        ("device_id", ctypes.c_int32),
        ("ndim", ctypes.c_int32),
        ("code", ctypes.c_uint8),
        ("bits", ctypes.c_uint8),
        ("lanes", ctypes.c_uint16),
        ("shape", ctypes.POINTER(ctypes.c_int64)),
        ("strides", ctypes.POINTER(ctypes.c_int64)),
        ("byte_offset", ctypes.c_uint64),
    ]


class _Managed(ctypes.Structure):
    pass


_Deleter = ctypes.CFUNCTYPE(None, ctypes.POINTER(_Managed))
_Managed._fields_ = [("tensor", _Tensor), ("context", ctypes.c_void_p), ("deleter", _Deleter)]

_Destructor = ctypes.PYFUNCTYPE(None, ctypes.c_void_p)
_new_capsule = ctypes.PYFUNCTYPE(ctypes.py_object, ctypes.c_void_p, ctypes.c_char_p, _Destructor)(
    ("PyCapsule_New", ctypes.pythonapi)
)
_is_capsule = ctypes.PYFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_char_p)(("PyCapsule_IsValid", ctypes.pythonapi))
_pointer_in = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_char_p)(
    ("PyCapsule_GetPointer", ctypes.pythonapi)
)
_rename = ctypes.PYFUNCTYPE(ctypes.c_int, ctypes.py_object, ctypes.c_char_p)(("PyCapsule_SetName", ctypes.pythonapi))

_given = {}  # by address: what a capsule of ours points to, until its taker is done with it


@_Deleter
def _delete(managed):
    _given.pop(ctypes.addressof(managed.contents), None)


@_Destructor
def _destroy(capsule):
    if _is_capsule(capsule, _NAME):  # nobody took it
        _given.pop(_pointer_in(capsule, _NAME), None)


class _OfCapsule:
    """A capsule where an object with __dlpack__ is asked for."""

    def __init__(self, capsule):
        self._capsule = capsule

    def __dlpack__(self, **_):
        return self._capsule

    def __dlpack_device__(self):
        return CPU


def give(array, is_bf16):
    """A capsule of an array; of BF16 its bits. The capsule keeps the array."""
    if not is_bf16:
        return (array if array.flags.writeable else array.copy()).__dlpack__()
    array = np.ascontiguousarray(array)
    shape = (ctypes.c_int64 * max(array.ndim, 1))(*array.shape)
    managed = _Managed()
    tensor = managed.tensor
    tensor.data, tensor.device_type, tensor.device_id = array.ctypes.data, *CPU
    tensor.ndim, tensor.shape, tensor.strides, tensor.byte_offset = array.ndim, shape, None, 0
    tensor.code, tensor.bits, tensor.lanes = _BFLOAT, 16, 1
    managed.deleter = _delete
    address = ctypes.addressof(managed)
    _given[address] = (managed, shape, array)
    return _new_capsule(address, _NAME, _destroy)


def take(name, source):
    """(array, whether it holds the bits of BF16)"""
    if not hasattr(source, "__dlpack__"):
        if type(source).__name__ != "PyCapsule":
            raise TritonModelException(f"tensor '{name}': {type(source).__name__} has no __dlpack__ and is no capsule")
        capsule = source
    else:
        device, _ = source.__dlpack_device__()
        if device not in (CPU[0], _PINNED):
            raise TritonModelException(f"tensor '{name}' is on a GPU; give it in the CPU's memory, as .cpu() does")
        capsule = source.__dlpack__()
    if not _is_capsule(id(capsule), _NAME):
        raise TritonModelException(f"tensor '{name}': the capsule holds no tensor, or it was taken from it before")
    managed = _Managed.from_address(_pointer_in(id(capsule), _NAME))
    tensor = managed.tensor
    if tensor.device_type not in (CPU[0], _PINNED):
        raise TritonModelException(f"tensor '{name}' is on a GPU; give it in the CPU's memory, as .cpu() does")
    if (tensor.code, tensor.bits, tensor.lanes) != (_BFLOAT, 16, 1):
        return np.from_dlpack(_OfCapsule(capsule)), False
    return _copy_bits(managed, capsule), True


def _copy_bits(managed, capsule):
    tensor = managed.tensor
    shape = tuple(tensor.shape[i] for i in range(tensor.ndim))
    strides = tuple(2 * tensor.strides[i] for i in range(tensor.ndim)) if tensor.strides else None
    reach = 2 + sum((size - 1) * abs(step) for size, step in zip(shape, strides or ()))
    if strides is None:
        reach = 2 * int(np.prod(shape, dtype=np.int64))
    if 0 in shape:
        bits = np.empty(shape, np.uint16)
    else:
        memory = (ctypes.c_char * reach).from_address(tensor.data + tensor.byte_offset)
        bits = np.ndarray(shape, np.uint16, memory, strides=strides).copy()
    _rename(capsule, _USED)
    if managed.deleter:
        managed.deleter(ctypes.pointer(managed))
    return bits
