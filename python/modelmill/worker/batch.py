"""An execution in the worker: requests with their inputs, and the answers to them."""

import json

from modelmill.errors import Error

from . import frames
from .frames import Frame
from .memory import TensorReader, TensorWriter, struct_of

_WHOLE = 0xFFFFFFFF
_MOST_TEXT = 4 << 20  # of what goes beside an answer's tensors; the server takes frames of 16 MiB


class Batch:
    """What flavours see of an execution.

    `rows` has the number of rows of each request. `inputs` has {number of the input: array}: one dictionary for the
    whole batch when `gathered`, else one for each request. `info` has what the client said beside the inputs, for each
    request, if the flavour wanted it. Answers are for any thread.
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
        self._dtypes, self._counts = [record[1] for record in found], [count for _, count in records]
        self._info, self._info_text = None, bytes(body[at : at + info_size])
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
        self.senders = set()  # requests that something answers beside what the code returns
        self.cancelled = set()
        self.unacknowledged = [0] * requests

    @property
    def lock(self):
        """Of what is sent: answers may be given by several threads."""
        return self._link.lock

    @property
    def info(self):
        if self._info is None:
            self._info = json.loads(self._info_text) if self._info_text else [{}] * len(self.rows)
        return self._info

    def dtypes(self, request):
        """Numbers of the types that a request's inputs have, which an array of BF16 may not tell; of a batch that isn't
        gathered."""
        begin = sum(self._counts[:request])
        return self._dtypes[begin : begin + self._counts[request]]

    def parts(self, names):
        """Takes the inputs out: (arrays by name, the request's number; None for all together), `names` by number. Nothing
        here keeps the arrays."""
        inputs, self.inputs = self.inputs[::-1], ()
        count = len(inputs)
        while inputs:
            number = None if self.gathered else count - len(inputs)
            yield {names[i]: array for i, array in inputs.pop().items()}, number

    def answer_rows(self, indices, arrays, types=None):
        """Outputs `indices` of all requests, their rows one after another. `types`: of them, as TensorWriter has them."""
        self._send(frames.GATHERED, [(_WHOLE, indices, arrays, types, b"")])

    def answer(self, request, indices, arrays, final=True, parameters=None, types=None):
        """`types`: of the outputs, as TensorWriter has them."""
        self._send(0, [(request, indices, arrays, types, _text_of(parameters))], final)

    def answer_each(self, answers):
        """The last answers of several requests: a list of (request, indices, arrays, types, parameters), which is
        emptied. Full: not all were given."""
        told = [one for one in map(self._with_text, answers) if one]
        answers.clear()
        if sum(len(text) for *_, text in told) <= _MOST_TEXT:
            if told:
                self._send(0, told)
        while told:
            self._send(0, [told.pop(0)])

    def _with_text(self, answer):
        """With its parameters as they are sent. None: they were too many, and it has failed."""
        try:
            return *answer[:4], _text_of(answer[4])
        except Error as error:
            self.fail(answer[0], error.code, str(error))
            return None

    def finish(self, request):
        """The last answer of a request, without an output."""
        with self.lock:
            self.open.discard(request)
            self._send_plain(request, frames.END, 0, b"")

    def fail(self, request, code, message, parameters=None):
        """`request` None: all that wait for an answer. A code by its name. `parameters`: of a model with an open signature,
        what goes beside the error."""
        text = message.encode(errors="replace")[:8192]
        if parameters:
            text = json.dumps({"error": text.decode(errors="replace"), "parameters": parameters}).encode()
        with self.lock:
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

    def _send(self, flags, answers, final=True):
        heads = [(request, indices, types, text) for request, indices, _, types, text in answers]
        writer = TensorWriter([array for answer in answers for array in answer[2]], self._reader)
        answers.clear()
        with self._link.lock:
            region, block, where, begin = writer.write(self._link.memory)
            numbers = [index for _, indices, _, _ in heads for index in indices]
            types = [number for head in heads for number in head[2] or [None] * len(head[1])]
            records = writer.records(numbers, where, begin, types)
            writer.arrays = None
            parts, taken = [], 0
            for request, indices, _, text in heads:
                parts.append(frames.ANSWER.pack(request, frames.OUTPUTS, final, len(indices), len(text)))
                parts += records[taken : taken + len(indices)]
                parts.append(text)
                taken += len(indices)
                self._count(request, final)
            if not self.open:
                flags |= self._flags()
            head = frames.RESPONSE.pack(flags, len(heads), region, block)
            self._link.send(Frame.RESPONSE, self.number, head, *parts)

    def _count(self, request, final):
        if not final:
            self.unacknowledged[request] += 1
        elif request == _WHOLE:
            self.open.clear()
        else:
            self.open.discard(request)


def _text_of(parameters):
    text = json.dumps(parameters).encode() if parameters else b""
    if len(text) > _MOST_TEXT:
        raise Error(
            f"the parameters of an answer are {len(text)} bytes of JSON; {_MOST_TEXT} are allowed: give what is larger as an "
            "output",
            code="RESOURCE_EXHAUSTED",
        )
    return text
