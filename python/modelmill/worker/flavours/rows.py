"""Models that are a function of rows: built-in flavours make one of what a file holds."""

import numpy as np

from modelmill.types import array_field
from modelmill.worker import frames

from ..serving import execution
from .flavour import Flavour


def field(name, dtype, *sizes):
    """An input or output; `sizes` are those of one row."""
    return array_field(name, dtype, sizes)


def dtype_of(array):
    """The type that an array is sent as."""
    dtype = np.asarray(array).dtype
    return frames.STRING if dtype.kind in "OUS" else frames.OF_NUMPY[dtype]


def plain(value):
    """numpy's array of what libraries return: sparse matrices, tables, tensors."""
    if hasattr(value, "toarray"):
        return value.toarray()
    return value.to_numpy() if hasattr(value, "to_numpy") else np.asarray(value)


def texts(array):
    """The texts of an input of strings, in its shape."""
    out = np.empty(array.shape, object)
    out.ravel()[:] = [item.decode(errors="replace") for item in array.ravel().tolist()]
    return out


class Rows(Flavour):
    """`predict` makes the arrays of `outputs` from {input: array}, all with as many rows. A batch that fails is tried
    once more request by request, so that one bad request costs no other its answer. The `extra` ones of the outputs,
    which are the last, go only to requests that name them."""

    types = None  # of the outputs, where they are not those of the arrays
    extra = 0

    def __init__(self, inputs, outputs, predict, batch, extra=0):
        self.inputs, self.outputs, self.predict, self.batch, self.extra = inputs, outputs, predict, batch, extra

    def describe(self):
        return {
            "inputs": [one.describe(True) for one in self.inputs],
            "outputs": [one.describe(True) for one in self.outputs],
            "gather": True,
            "max_batch_size": self.batch,
            "wants_info": self.extra > 0,
        }

    def execute(self, batch, serving):
        for arrays, which in batch.parts([one.name for one in self.inputs]):
            rows = sum(batch.rows) if which is None else batch.rows[which]
            try:
                with execution(batch.number):
                    results = self._results(arrays, rows)
            except Exception as error:
                if which is None and len(batch.rows) > 1:
                    self._execute_each(batch, serving, arrays)
                else:
                    serving.fail(batch, which, error)
                continue
            self._answer(batch, serving, which, results)

    def _execute_each(self, batch, serving, arrays):
        begin = 0
        for number, rows in enumerate(batch.rows):
            part = {name: array[begin : begin + rows] for name, array in arrays.items()}
            begin += rows
            try:
                with execution(batch.number):
                    results = self._results(part, rows)
            except Exception as error:
                serving.fail(batch, number, error)
                continue
            self._answer(batch, serving, number, results)

    def _results(self, arrays, rows):
        return [one.write_rows(value, rows) for one, value in zip(self.outputs, self.predict(arrays))]

    def _indices(self, batch, number):
        """Of the outputs that a request gets; the server leaves out what it named not."""
        wanted = self.extra == 0 or batch.info[number].get("outputs")
        return range(len(self.outputs) - (0 if wanted else self.extra))

    def _answer(self, batch, serving, which, results):
        try:
            if which is not None:
                indices = self._indices(batch, which)
                batch.answer(which, indices, [results[i] for i in indices], types=self.types)
                return
            if self.extra == 0:
                batch.answer_rows(range(len(self.outputs)), results, self.types)
                return
            each = [self._indices(batch, number) for number in range(len(batch.rows))]
            if all(indices == each[0] for indices in each):
                batch.answer_rows(each[0], [results[i] for i in each[0]])
            else:
                batch.answer_each(self._cut(batch, each, results))
        except Exception as error:
            serving.fail(batch, which, error)

    def _cut(self, batch, each, results):
        answers, begin = [], 0
        for number, (rows, indices) in enumerate(zip(batch.rows, each)):
            answers.append((number, indices, [results[i][begin : begin + rows] for i in indices], None, None))
            begin += rows
        return answers
