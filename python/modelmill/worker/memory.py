"""Shared memory: blocks of the worker's own for what it sends, and views on the server's."""

import fcntl
import itertools
import mmap
import os
import struct
import sys
import weakref

import numpy as np

from . import frames

_ADD_SEALS, _SEALS = 1033, 1 | 2 | 4  # F_ADD_SEALS; no more seals, no shrinking, no growing
_HEADER = 64  # before each block; its first word is 1 while the block is in use, and the server sets it to 0
_LEAST = 1 << 20
_TRIMMED = 8 << 20


class Full(Exception):
    """There is no room for a block now."""


class _Region:
    def __init__(self, number, size):
        self.number, self.size = number, size
        self.fd = os.memfd_create("modelmill", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        os.ftruncate(self.fd, size)
        fcntl.fcntl(self.fd, _ADD_SEALS, _SEALS)
        self.map = mmap.mmap(self.fd, size)
        self.bytes = memoryview(self.map)
        self.words = self.bytes.cast("I")
        self.blocks = []  # (offset, end), ascending
        self.held = {}  # the sizes of those that somebody has an array of, by their offsets
        self.followers = {}  # by the offset of one: [(region, offset)] of those that are free when it is
        self.dirty = False

    def allocate(self, size):
        """The offset of a block of so many bytes, its header included; None when there is no room."""
        self.drop_free()
        blocks = self.blocks
        at, place = 0, 0
        for place, (offset, end) in enumerate(blocks):  # noqa: B007
            if offset - at >= size:
                break
            at = end
        else:
            place = len(blocks)
            if self.size - at < size:
                return None
        blocks.insert(place, (at, at + size))
        self.words[at >> 2] = 1
        self.dirty = True
        return at

    def drop_free(self):
        """Forgets the blocks that are not in use any more."""
        blocks, words, held = self.blocks, self.words, self.held
        if not held and not self.followers:
            blocks[:] = [block for block in blocks if words[block[0] >> 2]]
            return
        kept = []
        for block in blocks:
            if words[block[0] >> 2] or block[0] in held:
                kept.append(block)
                continue
            for region, offset in self.followers.pop(block[0], ()):
                region.words[offset >> 2] = 0
        blocks[:] = kept


class _Lent:
    """A block that is an array of the model's code, to be sent without a copy, once."""

    def __init__(self, region, offset, begin, size, address):
        self.region, self.offset, self.begin, self.address = region, offset, begin, address
        self.sent = False
        region.held[offset] = size

    def place_of(self, array):
        return self.region.number, self.begin + array.__array_interface__["data"][0] - self.address

    def let_go(self):
        """Nobody has the array any more."""
        self.region.held.pop(self.offset, None)
        if not self.sent:  # else the server frees it
            self.region.words[self.offset >> 2] = 0


class _Root(np.ndarray):
    """What all arrays of one block share. numpy lets them hold their base only where it is of another class."""

    lent = None


def _lent_of(array):
    """The _Lent that a whole array or a part of it lies in, if it can be sent from there."""
    base = array.base
    while type(base) is np.ndarray:
        base = base.base
    if type(base) is not _Root or base.lent is None or base.lent.sent:
        return None
    return base.lent if array.flags.c_contiguous and array.flags.aligned and array.nbytes else None


class OwnMemory:
    """Blocks that the worker writes and the server reads. One thread at a time."""

    def __init__(self, limit, announce):
        self._limit, self._announce = limit, announce
        self._regions, self._total = [], 0

    def region(self, number):
        return self._regions[number]

    def allocate(self, size):
        """(region, offset of the block, where its content begins, the region's bytes)."""
        rounded = (size + _HEADER + 63) & ~63
        for region in self._regions:
            offset = region.allocate(rounded)
            if offset is not None:
                return region.number, offset, offset + _HEADER, region.bytes
        grown = max(_LEAST, 1 << (rounded - 1).bit_length(), self._total)
        grown = min(grown, self._limit - self._total) & ~4095
        if grown < rounded:
            raise Full
        region = _Region(len(self._regions), grown)
        self._announce(region)
        os.close(region.fd)
        self._regions.append(region)
        self._total += grown
        offset = region.allocate(rounded)
        return region.number, offset, offset + _HEADER, region.bytes

    def empty(self, shape, dtype):
        """An array whose memory the server has, too; of memory as any other where there is no room."""
        size = np.dtype(dtype).itemsize * int(np.prod(shape))
        held = sum(sum(list(region.held.values())) for region in self._regions)
        try:
            if 2 * (held + size) > self._limit:
                raise Full  # the rest is for what is copied
            number, offset, begin, into = self.allocate(size)
        except Full:
            return np.empty(shape, dtype)
        root = np.ndarray.__new__(_Root, (size,), np.uint8, into, begin)
        root.lent = _Lent(self._regions[number], offset, begin, size, root.__array_interface__["data"][0])
        weakref.finalize(root, root.lent.let_go).atexit = False
        return np.ndarray(shape, dtype, root)

    def trim(self):
        """Gives back what large regions hold that are not in use."""
        for region in self._regions:
            if not region.dirty or region.size < _TRIMMED:
                continue
            region.drop_free()
            if not region.blocks:
                region.map.madvise(mmap.MADV_REMOVE)
                region.dirty = False


class ServerMemory:
    """The server's regions, mapped."""

    def __init__(self):
        self._regions = {}

    def add(self, number, size, fd):
        mapped = mmap.mmap(fd, size)
        os.close(fd)
        self._regions[number] = (mapped, np.frombuffer(mapped, np.uint8).__array_interface__["data"][0])

    def view(self, number, begin, end):
        """(the block's bytes as a _Root, the address of the region)."""
        mapped, address = self._regions[number]
        return np.ndarray.__new__(_Root, (end - begin,), np.uint8, mapped, begin), address


class TensorReader:
    """Makes arrays of tensors in the server's memory, without a copy where they are not of strings."""

    def __init__(self, memory, records):
        """`records`: (dtype, shape, region, offset, size) of tensors that lie in one block."""
        self.view, self.region, self.begin, self.end, self.address = None, None, 0, 0, 0
        if not records:
            return
        self.region = records[0][2]
        self.begin = min(record[3] for record in records)
        self.end = max(record[3] + record[4] for record in records)
        self.view, self.address = memory.view(self.region, self.begin, self.end)

    def array(self, dtype, shape, offset):
        at = offset - self.begin
        if dtype == frames.STRING:
            return self._strings(shape, at)
        return np.ndarray(shape, frames.NUMPY[dtype], self.view, at)

    def _strings(self, shape, at):
        count = 1
        for size in shape:
            count *= size
        table = np.ndarray((count + 1,), np.uint64, self.view, at).tolist()
        begin = at + 8 * (count + 1)
        data = np.ndarray((table[-1],), np.uint8, self.view, begin).tobytes()
        out = np.empty(count, object)
        out[:] = [data[table[i] : table[i + 1]] for i in range(count)]
        return out.reshape(shape)

    def place_of(self, array):
        """(region, offset) of an array that lies in this block; None for another."""
        if self.view is None or not array.flags.c_contiguous:
            return None
        offset = array.__array_interface__["data"][0] - self.address
        if not array.nbytes or offset < self.begin or offset + array.nbytes > self.end:
            return None
        return self.region | frames.SERVER_MEMORY, offset

    def references(self):
        return sys.getrefcount(self.view)

    def is_kept(self):
        """Somebody still has an array of it."""
        return self.view is not None and self.references() > _unkept

    def when_free(self, call):
        weakref.finalize(self.view, call).atexit = False


def _count_unkept():
    reader = TensorReader.__new__(TensorReader)
    reader.view = np.ndarray.__new__(_Root, (4,), np.uint8, bytearray(8), 0)
    return reader.references()


_unkept = _count_unkept()


class TensorWriter:
    """Puts arrays into one block and makes records of them. With `reader`, that of the inputs, those that lie in the
    inputs' memory or were made by OwnMemory.empty() stay where they are."""

    def __init__(self, arrays, reader=None):
        self.arrays, self.places, self.size = [], [], 0
        lent = {}
        for array in arrays:
            place = None
            if array.dtype == object:
                array = _encode_strings(array)
                size = array[1].nbytes + len(array[2])
            else:
                if reader is not None:
                    place = reader.place_of(array)
                    if place is None and (own := _lent_of(array)) is not None:
                        place = own.place_of(array)
                        lent[id(own)] = own
                size = 0 if place is not None else array.nbytes
            self.arrays.append(array)
            self.places.append((place, self.size, size))
            self.size += (size + 63) & ~63
        self.lent = list(lent.values())
        self._mark_lent(True)

    def _mark_lent(self, sent):
        for one in self.lent:
            one.sent = sent

    def _lead(self, region, offset):
        """The server frees one block of an answer; the others follow it."""
        if region is None and self.lent:
            first = self.lent.pop(0)
            region, offset = first.region, first.offset
        if self.lent:
            region.followers.setdefault(offset, []).extend((one.region, one.offset) for one in self.lent)
        return (region.number, offset) if region is not None else (frames.NO_REGION, 0)

    def write(self, memory):
        """(region and offset of the block, a function of its tensors' records)."""
        if self.size == 0:
            return *self._lead(None, 0), frames.NO_REGION, 0
        try:
            region, block, begin, into = memory.allocate(self.size)
        except Full:
            self._mark_lent(False)
            raise
        if self.lent:
            self._lead(memory.region(region), block)
        for array, (place, at, size) in zip(self.arrays, self.places):
            if place is not None or not size:
                continue
            at += begin
            if isinstance(array, tuple):
                table = array[1].nbytes
                into[at : at + table] = memoryview(array[1]).cast("B")
                into[at + table : at + size] = array[2]
            else:
                np.copyto(np.ndarray(array.shape, array.dtype, into, at), array)
        return region, block, region, begin

    def records(self, indices, region, begin, types=None):
        """`types`: of the tensors, where their arrays' dtypes may not tell."""
        parts = []
        types = types or itertools.repeat(None)
        for index, array, (place, at, size), number in zip(indices, self.arrays, self.places, types):
            if isinstance(array, tuple):
                dtype, shape = frames.STRING, array[0]
            else:
                dtype, shape = number or frames.OF_NUMPY[array.dtype], array.shape
            if place is not None:
                where = (*place, array.nbytes)
            elif region == frames.NO_REGION:
                where = (0, 0, 0)
            else:
                where = (region, begin + at, size)
            parts.append(frames.TENSOR.pack(index, dtype, len(shape), *where) + struct_of(len(shape)).pack(*shape))
        return parts


_structs = {}


def struct_of(rank):
    """The dimensions of a tensor."""
    if rank not in _structs:
        _structs[rank] = struct.Struct(f"<{rank}q")
    return _structs[rank]


def _encode_strings(array):
    texts = [text if type(text) is bytes else _to_bytes(text) for text in array.ravel().tolist()]
    table = np.zeros(len(texts) + 1, np.uint64)
    np.cumsum([len(text) for text in texts], out=table[1:])
    return array.shape, table, b"".join(texts)


def _to_bytes(value):
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value)
    return str(value).encode()
