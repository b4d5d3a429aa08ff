"""An execution in the worker: requests with their inputs, and the answers to them."""

import json

from . import frames
from .frames import Frame
from .memory import TensorReader, TensorWriter, struct_of

_WHOLE = 0xFFFFFFFF


class Batch:
    """What flavours see of an execution.

    `rows` has the number of rows of each request. `inputs` has {number of the input: array}: one dictionary for the
    whole batch when `gathered`, else one for each request. `info` has what the client said beside the inputs, for each
    request, if the flavour wanted it.
    """

    def __init__(self, link, number, body):
        self._link, self.number = link, number
        flags, requests, tensors, info_size = frames.EXECUTE.unpack_from(body)
        at = frames.EXECUTE.size
        self.gathered = bool(flags & frames.GATHERED)
        records = [frames.REQUEST.unpack_from(body, at + i * frames.REQUEST.size) for i in range(requests)]
        at += requests * frames.REQUEST.size
        self.rows = [rows for rows, _ in records]
        found = []
        for _ in range(tensors):
            index, dtype, rank, region, offset, size = frames.TENSOR.unpack_from(body, at)
            at += frames.TENSOR.size
            shape = struct_of(rank).unpack_from(body, at)
            at += 8 * rank
            found.append((index, dtype, shape, region, offset, size))
        self.info = json.loads(bytes(body[at : at + info_size])) if info_size else [{}] * requests
        self._reader = TensorReader(link.server, [record[1:] for record in found])
        arrays = [(r[0], self._reader.array(r[1], r[2], r[4])) for r in found]
        if self.gathered:
            self.inputs = [dict(arrays)]
        else:
            self.inputs = []
            taken = 0
            for _, count in records:
                self.inputs.append(dict(arrays[taken : taken + count]))
                taken += count
        self.open = set(range(requests))
        self.cancelled = set()
        self.unacknowledged = [0] * requests

    def answer_rows(self, indices, arrays):
        """Outputs `indices` of all requests, their rows one after another."""
        self._send(frames.GATHERED, _WHOLE, indices, arrays, True, "")
        self.open.clear()

    def answer(self, request, indices, arrays, final=True, parameters=None):
        self._send(0, request, indices, arrays, final, json.dumps(parameters) if parameters else "")
        if final:
            self.open.discard(request)
        else:
            self.unacknowledged[request] += 1

    def finish(self, request):
        """The last answer of a request, without an output."""
        self.open.discard(request)
        self._send_plain(request, frames.END, 0, b"")

    def fail(self, request, code, message):
        """`request` None: all that wait for an answer. A code by its name."""
        text = message.encode(errors="replace")[:8192]
        for one in sorted(self.open) if request is None else [request]:
            self.open.discard(one)
            self._send_plain(one, frames.ERROR, frames.CODES.get(code, frames.CODES["UNKNOWN"]), text)

    def release(self):
        """Lets go of the inputs: what is still kept of them is so by the model's own code."""
        self.inputs = ()

    def _flags(self):
        # The memory is used again when the last answer has been sent, unless somebody still has an array of it.
        self.release()
        if not self._reader.is_kept():
            return 0
        self._reader.when_free(lambda link=self._link, number=self.number: link.free(number))
        return frames.KEEPS_INPUTS

    def _send_plain(self, request, kind, code, text):
        flags = 0 if self.open else self._flags()
        self._link.send(
            Frame.RESPONSE, self.number,
            frames.RESPONSE.pack(flags, 1, frames.NO_REGION, 0),
            frames.ANSWER.pack(request, kind, 1, code, len(text)), text,
        )  # fmt: skip

    def _send(self, flags, request, indices, arrays, final, text):
        text = text.encode()
        writer = TensorWriter(arrays, self._reader)
        arrays = None
        last = final and (request == _WHOLE or self.open == {request})
        with self._link.lock:
            region, block, where, begin = writer.write(self._link.memory)
            records = writer.records(indices, where, begin, self._reader)
            writer.arrays = None
            if last:
                flags |= self._flags()
            self._link.send(
                Frame.RESPONSE, self.number,
                frames.RESPONSE.pack(flags, 1, region, block),
                frames.ANSWER.pack(request, frames.OUTPUTS, final, len(records), len(text)), *records, text,
            )  # fmt: skip

