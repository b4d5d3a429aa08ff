"""TorchScript and packages of AOTInductor, by whatever torch the interpreter has: for those torches that modelmill has no
plugin of its own for. A program means here what it means there: names, types, parameters, errors."""

import contextlib
import logging
import os

import numpy as np

from modelmill import api
from modelmill.errors import Error
from modelmill.worker import frames

from . import torch_files, torch_ports
from .packages import require
from .rows import Rows
from .torch_programs import NUMBER, TEXTS, Package, Script, Values, translated

_MOST_THREADS = 1024
log = logging.getLogger("modelmill")


def load(hello):
    return Torch(require(hello["file"], "torch"), hello)


def _count(name):
    """A number of threads: None where nobody says it."""
    given = api.parameter(name)
    if given is None:
        return None
    try:
        count = int(given)
    except ValueError:
        raise Error(f"parameter '{name}' is '{given}', which is no number") from None
    if not 0 <= count <= _MOST_THREADS:
        raise Error(f"parameter '{name}' is {count}; it must be from 0 (as many as cores) to {_MOST_THREADS}")
    return count or len(os.sched_getaffinity(0))


def _flag(name, fallback):
    given = api.parameter(name)
    if given is None:
        return fallback
    if given in ("true", "True", "1"):
        return True
    if given in ("false", "False", "0"):
        return False
    raise Error(f"parameter '{name}': '{given}' is not true or false")


class Torch(Rows):
    """How it is batched the server finds out, as it does with its own plugin."""

    def __init__(self, torch, hello):
        if hello.get("device", "cpu") != "cpu":
            raise Error("models of PyTorch are run on the CPU; use KIND_CPU or device: cpu", code="FAILED_PRECONDITION")
        self._torch, self._values = torch, Values(torch)
        self._settle()
        file = hello["file"]
        found = torch_files.look(file)

        def open_program():
            return Package(torch, file, found.model, found.inputs) if found.model else Script(torch, file, self._values)

        self._program = open_program()
        self.platform = "torch_aoti" if found.model else "pytorch_libtorch"
        self._learn(hello["config"], found.inputs)
        if self._program.keeps_state:
            log.info("it is neither batched nor warmed up with made-up inputs, because its forward() changes what it keeps")
            self._program = open_program()  # as it was before it was tried

    def _settle(self):
        """What the parameters, which are Triton's, say of the process."""
        torch = self._torch
        self._inference_mode = _flag("INFERENCE_MODE", True)
        self._optimize = not _flag("DISABLE_OPTIMIZED_EXECUTION", False)
        if (wanted := _flag("ENABLE_JIT_EXECUTOR", None)) is not None:
            torch._C._jit_set_profiling_executor(wanted)
        if (wanted := _flag("ENABLE_JIT_PROFILING", None)) is not None:
            torch._C._jit_set_profiling_mode(wanted)
        if (threads := _count("INTRA_OP_THREAD_COUNT")) is not None:
            torch.set_num_threads(threads)
        if (threads := _count("INTER_OP_THREAD_COUNT")) is not None:
            torch.set_num_interop_threads(threads)

    def _learn(self, config, known):
        arguments = self._program.arguments
        self._dictionary = torch_ports.takes_dictionary(arguments)
        listed = torch_ports.configured(config, "input")
        self.inputs = torch_ports.make_inputs(listed, arguments, known)
        outputs = torch_ports.configured(config, "output")
        tried, self._named_batch = [], False
        try:
            tried, self._named_batch = torch_ports.learn(
                self._call, self.inputs, bool(listed), self._program.output_names, self._dictionary
            )
        except Error as error:
            if not listed or not outputs:
                raise
            log.debug("%s", error)  # what the author wrote down has to do: zeros may be wrong values for this model
        self.outputs = torch_ports.name_outputs(outputs, tried)
        self.types = [port.dtype for port in self.outputs]

    def describe(self):
        out = {
            "inputs": [port.describe() for port in self.inputs],
            "outputs": [port.describe() for port in self.outputs],
            "gather": True,
            "output_shapes_unsure": True,
            "platform": self.platform,
        }
        return {**out, "stateful": True} if self._program.keeps_state else {**out, "trials": True, "names_batch": self._named_batch}

    def _call(self, arrays):
        """[(key, type, array)] of {input: array}."""
        values = [argument.default for argument in self._program.arguments]
        if self._dictionary:
            values = [{port.name: self._value(port, arrays[port.name]) for port in self.inputs if port.name in arrays}]
        else:
            for port in self.inputs:
                if port.name in arrays:
                    values[port.place] = self._value(port, arrays[port.name])
        torch = self._torch
        with contextlib.ExitStack() as stack:
            stack.enter_context(translated(torch))
            stack.enter_context(torch.no_grad())
            stack.enter_context(torch.inference_mode(self._inference_mode))
            stack.enter_context(torch.jit.optimized_execution(self._optimize))
            return list(self._values.flatten(self._program.run(values)))

    def _value(self, port, array):
        for index, (size, limit) in enumerate(zip(array.shape, port.limits)):
            if 0 <= limit.most < size:
                raise Error(
                    f"input '{port.name}' has shape [{','.join(map(str, array.shape))}]; its size {index} may be at most "
                    f"{limit.most}, for which the package was compiled"
                )
        kind = None if self._dictionary else self._program.arguments[port.place].kind
        if kind == TEXTS:
            return [item.decode(errors="replace") for item in array.ravel().tolist()]
        if kind == NUMBER:
            return array.ravel()[0].item()
        tensor = self._values.tensor(array, port.dtype)
        return tensor.clone() if self._program.copies_inputs else tensor

    def _results(self, arrays, rows):
        values = self._call(arrays)
        out = []
        for port in self.outputs:
            if port.place >= len(values):
                raise Error(
                    f"output '{port.name}' is number {port.place} (from 0), but the model answered with {len(values)}",
                    code="INTERNAL",
                )
            _, dtype, array = values[port.place]
            if dtype != port.dtype:
                raise Error(
                    f"output '{port.name}' came as {frames.NAMES[dtype]}, but is {frames.NAMES[port.dtype]} in the "
                    "configuration",
                    code="INTERNAL",
                )
            out.append(np.asarray(array))
        return out
