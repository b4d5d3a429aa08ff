"""Functions and classes that are marked with @modelmill.model."""

import inspect
import typing

from modelmill import api, comparisons, devices
from modelmill.errors import Error
from modelmill.types import Argument, Returns

from .. import session
from ..serving import execution
from .flavour import Flavour

_WINDOW = 16  # answers of a stream that the server has yet to take


def load(module, hello):
    marked = {
        name: value
        for name, value in vars(module).items()
        if hasattr(value, "__modelmill__") and value.__module__ == module.__name__
    }
    wanted = api.parameter("object")
    if wanted:
        if wanted not in marked:
            raise Error(f"parameter 'object' names '{wanted}', which is not marked with @modelmill.model there")
        marked = {wanted: marked[wanted]}
    if not marked:
        raise Error("nothing in the file is marked with @modelmill.model, and there is no class TritonPythonModel")
    if len(marked) > 1:
        raise Error(
            f"the file has several models ({', '.join(marked)}); the parameter 'object' of the configuration names one"
        )
    ((name, target),) = marked.items()
    _settle_device(name, target, hello)
    if hasattr(target, "__modelmill_comparison__"):
        options, target = target.__modelmill__, comparisons.served(name, target)
        target.__modelmill__ = options
    return Own(name, target)


def _settle_device(name, target, hello):
    assumed = hello["device"]
    devices.settle(hello, target.__modelmill__.device)
    if session.session.device_asked and hello["device"] != assumed:
        raise Error(
            f"device() is called while the file is read, before '{name}' says device={target.__modelmill__.device!r}; call "
            "it in the model's code, in __init__ or in a function marked with @modelmill.on_start"
        )


class Own(Flavour):
    def __init__(self, name, target):
        options = target.__modelmill__
        self.name, self.target, self.batch, self.workers = name, target, options.batch, options.workers
        self.memory_mb, self.instance = options.memory_mb, None
        function = target
        if inspect.isclass(target):
            function = getattr(target, "predict", None) or target.__dict__.get("__call__")
            if function is None:
                raise Error(f"class '{name}' has no method predict")
        self.streams = inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function)
        self.concurrent = inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function)
        if self.streams and self.batch:
            raise Error(f"'{name}' yields its answers, so it can't have batch={self.batch}")
        self.function = function
        self._read_signature(function, options)

    def _read_signature(self, function, options):
        hints = typing.get_type_hints(function, include_extras=True)
        parameters = list(inspect.signature(function).parameters.values())
        if inspect.isclass(self.target):
            parameters = parameters[1:]
        self.arguments, self.request_argument = [], None
        for parameter in parameters:
            annotation = hints.get(parameter.name, parameter.annotation)
            if annotation is api.Request or typing.get_args(annotation) == (api.Request,):
                self.request_argument = parameter.name
            else:
                self.arguments.append(Argument(parameter, annotation, self.batch > 0))
        annotation = options.outputs or hints.get("return", inspect.Signature.empty)
        if self.streams and typing.get_args(annotation):
            annotation = typing.get_args(annotation)[0]  # of Iterator[...]
        self.returns = Returns(annotation, self.batch > 0, options.output)
        self.inputs = [field for argument in self.arguments for field in argument.fields]
        self._names = [field.name for field in self.inputs]
        if len(set(self._names)) < len(self._names):
            raise Error(f"'{self.name}' has two inputs of one name: {', '.join(sorted(self._names))}")

    def describe(self):
        batched = self.batch > 0
        table = any(a.structure is not None and a.structure.table for a in self.arguments)
        if table and batched:
            raise Error(f"'{self.name}' takes a Table, which holds any number of rows; leave batch out")
        return {
            "inputs": [field.describe(batched) for field in self.inputs],
            "outputs": [field.describe(batched) for field in self.returns.fields],
            "gather": batched,
            "wants_info": self.request_argument is not None,
            "decoupled": self.streams,
            "concurrent": self.concurrent,
            "max_batch_size": self.batch,
            **({"workers": self.workers} if self.workers else {}),
            **({"memory_limit_mb": self.memory_mb} if self.memory_mb else {}),
        }

    def _hooks(self, which):
        hooks = list(which)
        if self.instance is not None:
            hook = getattr(self.instance, "start" if which is api.START else "stop", None)
            hooks += [hook] if hook else []
        return hooks

    def make(self):
        """Before start(): a class becomes its object."""
        if inspect.isclass(self.target):
            self.instance = self.target()
            self.function = getattr(self.instance, self.function.__name__)

    def start(self):
        return [result for hook in self._hooks(api.START) if inspect.isawaitable(result := hook())]

    def stop(self):
        return [result for hook in self._hooks(api.STOP) if inspect.isawaitable(result := hook())]

    def execute(self, batch, serving):
        """A coroutine where the model is concurrent."""
        if self.concurrent:
            return self._execute_async(batch, serving)
        for arrays, which in batch.parts(self._names):
            try:
                with execution(batch.number):
                    values = self._arguments(batch, serving, arrays, which)
                    if self.streams:
                        self._stream(batch, serving, which, values)
                    else:
                        self._answer(batch, serving, which, self._call(values))
            except Exception as error:
                serving.fail(batch, which, error)
        return None

    async def _execute_async(self, batch, serving):
        for arrays, which in batch.parts(self._names):
            try:
                with execution(batch.number):
                    values = self._arguments(batch, serving, arrays, which)
                    if self.streams:
                        await self._stream_async(batch, serving, which, values)
                    else:
                        self._answer(batch, serving, which, await self._call(values))
            except Exception as error:
                serving.fail(batch, which, error)

    def _arguments(self, batch, serving, arrays, which):
        rows = sum(batch.rows) if which is None else batch.rows[which]
        values = {argument.name: argument.read(arrays, rows) for argument in self.arguments}
        arrays.clear()
        if self.request_argument is not None:
            requests = [
                api.Request(info, lambda number=number: serving.is_cancelled(batch, number))
                for number, info in enumerate(batch.info)
                if which is None or number == which
            ]
            values[self.request_argument] = requests if self.batch else requests[0]
        return values

    def _call(self, values):
        """Lets go of the arguments, so that their memory is free with the answer unless the model's code keeps them."""
        try:
            return self.function(**values)
        finally:
            values.clear()

    def _answer(self, batch, serving, which, value):
        indices = range(len(self.returns.fields))
        if not self.batch:
            arrays, value = self.returns.write(value), None
            return batch.answer(which, indices, _handed_over(arrays), types=self.returns.types)
        rows = batch.rows if which is None else [batch.rows[which]]
        arrays, errors = self.returns.write_rows(value, sum(rows))
        value = None
        if which is None and not errors:
            return batch.answer_rows(indices, _handed_over(arrays), self.returns.types)
        begin = 0
        for number, count in enumerate(rows, which or 0):
            end = begin + count
            error = next((errors[row] for row in range(begin, end) if row in errors), None)
            if error is None and arrays is not None:
                batch.answer(number, indices, [array[begin:end] for array in arrays], types=self.returns.types)
            else:
                serving.fail(batch, number, error or next(iter(errors.values())))
            begin = end
        return None

    def _stream(self, batch, serving, which, values):
        indices = range(len(self.returns.fields))
        answers = self.function(**values)
        values.clear()
        try:
            for value in answers:
                serving.wait_until(lambda: batch.unacknowledged[which] < _WINDOW or which in batch.cancelled)
                if which in batch.cancelled:
                    break
                batch.answer(which, indices, self.returns.write(value), False, types=self.returns.types)
        finally:
            answers.close()
        batch.finish(which)

    async def _stream_async(self, batch, serving, which, values):
        indices = range(len(self.returns.fields))
        answers = self.function(**values)
        values.clear()
        try:
            async for value in answers:
                await serving.wait_until(lambda: batch.unacknowledged[which] < _WINDOW or which in batch.cancelled)
                if which in batch.cancelled:
                    break
                batch.answer(which, indices, self.returns.write(value), False, types=self.returns.types)
        finally:
            await answers.aclose()
        batch.finish(which)


def _handed_over(arrays):
    """Takes them out of the list, so that nothing but the answer has them."""
    while arrays:
        yield arrays.pop(0)
