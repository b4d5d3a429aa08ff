"""The inputs and outputs of programs of PyTorch's: by the configuration where it lists them, else by what the file tells
and a call with zeros; backends/pytorch/signature.h and trial.h are the same of the plugin."""

import dataclasses

import numpy as np

from modelmill.errors import Error
from modelmill.types import ANY
from modelmill.worker import frames

from . import torch_names
from .torch_programs import DICTIONARY, NUMBER, OTHER, TENSOR, TEXTS

_TRIED = 2


@dataclasses.dataclass
class Port:
    """One input or output that is served."""

    name: str
    dtype: int
    shape: list
    place: int = 0  # among the program's arguments, or its outputs; of a dictionary's elements always 0
    optional: bool = False
    example: list = dataclasses.field(default_factory=list)  # a size for each of the shape, to try the model with
    limits: list = dataclasses.field(default_factory=list)  # of a package's inputs; empty: none are known

    def describe(self):
        return {"name": self.name, "dtype": frames.NAMES[self.dtype], "shape": list(self.shape), "optional": self.optional}

    def zeros(self, more):
        """Open sizes are larger by `more` than the example's."""
        shape = [size + more if declared == ANY else size for size, declared in zip(self.example, self.shape)]
        if self.dtype != frames.STRING:
            return np.zeros(shape, frames.NUMPY[self.dtype])
        out = np.empty(shape, object)
        out.fill(b"")
        return out


def text(dtype, shape):
    return f"{frames.NAMES[dtype]}[{','.join(map(str, shape))}]"


def configured(config, kind):
    """Ports of what config.pbtxt lists."""
    batched = int(config.get("max_batch_size") or 0) > 0
    out = []
    for tensor in config.get(kind, ()):
        number = frames.NUMBERS.get(str(tensor["data_type"]).removeprefix("TYPE_"))
        if number is None:
            raise Error(f"{kind} '{tensor['name']}' has the data_type {tensor['data_type']}, which is none")
        dims = tensor["reshape"].get("shape", ()) if tensor.get("reshape") else tensor.get("dims", ())
        shape = [ANY] * batched + [int(size) for size in dims]
        out.append(Port(tensor["name"], number, shape, optional=bool(tensor.get("optional"))))
    return out


def takes_dictionary(arguments):
    return len(arguments) == 1 and arguments[0].kind == DICTIONARY


def make_inputs(listed, arguments, known):
    """`listed`: the configuration's; `known`: what a package's code tells of its inputs, or None."""
    if listed:
        return _configured_inputs(listed, arguments, known)
    out = []
    for place, argument in enumerate(arguments):
        if known or argument.example is not None or argument.kind in (TEXTS, NUMBER):
            out.append(_told(argument, place, known[place] if known else None))
        elif not argument.optional:
            raise _unlisted(arguments)
    return out


def _configured_inputs(listed, arguments, known):
    for port in listed:
        port.example = [_TRIED if size == ANY else size for size in port.shape]
    if takes_dictionary(arguments):
        for port in listed:
            _check_kind(arguments[0], port)
        return listed
    places = torch_names.match_names([port.name for port in listed], [one.name for one in arguments], "input")
    for port, place in zip(listed, places):
        port.place = place
        _check_kind(arguments[place], port)
        if known:
            _limit(port, *known[place])
        if arguments[place].kind == NUMBER:
            port.shape, port.example = [], []
    for place, argument in enumerate(arguments):
        if not argument.optional and place not in places:
            name = argument.name or torch_names.input_name(place)
            raise Error(f"the configuration lacks input '{name}', which the model needs")
    return listed


def _check_kind(argument, port):
    what = f"input '{port.name}' is {frames.NAMES[port.dtype]} in the configuration, but forward() takes {argument.type} there"
    if argument.kind == TEXTS and (port.dtype != frames.STRING or len(port.shape) != 1):
        raise Error(f"{what}, which is TYPE_STRING of one dimension")
    if argument.kind == NUMBER and (port.dtype != argument.dtype or port.shape not in ([], [1])):
        raise Error(f"{what}, which is TYPE_{frames.NAMES[argument.dtype]} with dims [ 1 ]")
    if argument.kind == OTHER:
        raise Error(
            f"forward() takes {argument.type} for '{port.name}'; inputs are tensors, numbers, List[str], or one "
            "Dict[str, Tensor]"
        )
    if argument.kind in (TENSOR, DICTIONARY) and port.dtype == frames.STRING:
        raise Error(f"{what}, which is no text")


def _limit(port, dtype, sizes):
    """A configured input, by what the package's code takes."""
    if frames.NUMBERS[dtype] != port.dtype or len(sizes) != len(port.shape):
        raise Error(
            f"input '{port.name}' is {text(port.dtype, port.shape)} in the configuration, but {dtype} of {len(sizes)} "
            "dimensions in the package"
        )
    port.limits = sizes
    for index, size in enumerate(sizes):
        if size.fixed and port.shape[index] != size.most:
            raise Error(
                f"input '{port.name}' has shape [{','.join(map(str, port.shape))}] in the configuration, but its size "
                f"{index} is {size.most} in the package"
            )
        if port.shape[index] == ANY:
            port.example[index] = max(_TRIED, size.least)


def _told(argument, place, known):
    """An input that the file describes; its first size is free for now, which is tried out."""
    name = argument.name or torch_names.input_name(place)
    out = Port(name, argument.dtype, [], place, argument.optional)
    if known:
        out.dtype, out.limits = frames.NUMBERS[known[0]], known[1]
        out.shape = [size.most if size.fixed else ANY for size in out.limits]
        out.example = [size.most if size.fixed else max(_TRIED, size.least) for size in out.limits]
    elif argument.kind == TEXTS:
        out.shape, out.example = [ANY], [_TRIED]
    elif argument.example is not None:
        out.example = list(argument.example)
        out.shape = [ANY, *out.example[1:]] if out.example else []
    return out


def _unlisted(arguments):
    sample = "".join(
        f' input {{ name: "{argument.name or torch_names.input_name(place)}" data_type: TYPE_FP32 dims: [ -1, 3, 224, 224 ] }}'
        for place, argument in enumerate(arguments)
        if not argument.optional
    )
    return Error(
        "the file does not tell its inputs' types and shapes, as one of torch.jit.trace does; list them in config.pbtxt, "
        f"in the manner of: max_batch_size: 0{sample}"
    )


def learn(call, inputs, inputs_configured, names, dictionary):
    """(the outputs that two calls with zeros show, whether all inputs and outputs begin with a batch). `call` makes
    [(key, type, array)] of {input: array}. What was not configured of the inputs is settled too."""

    def zeros(more):
        return {port.name: port.zeros(more) for port in inputs if dictionary or not port.optional}

    try:
        first = call(zeros(0))
    except Error as error:
        raise Error(
            f"its outputs could not be learned by a call with zeros, which failed: {error}; list its inputs and outputs in "
            "config.pbtxt",
            code=error.code,
        ) from None
    try:
        second = call(zeros(1))
    except Error:
        second = None  # its sizes are those that it was traced with
    if second is not None and [(d, a.ndim) for _, d, a in first] != [(d, a.ndim) for _, d, a in second]:
        second = None
    outputs = [_output(place, first, second, names) for place in range(len(first))]
    if inputs_configured:
        return outputs, False
    if second is None:
        for port in inputs:
            port.shape = list(port.example)
        return outputs, False
    return outputs, all(port.shape[:1] == [ANY] for port in [*inputs, *outputs])


def _output(place, first, second, names):
    key, dtype, array = first[place]
    name = (names[place] if place < len(names) else "") or key or torch_names.output_name(place)
    other = second[place][2].shape if second is not None else array.shape
    return Port(name, dtype, [size if size == more else ANY for size, more in zip(array.shape, other)], place)


def name_outputs(listed, tried):
    """The configuration's outputs, each at its place among those that a trial showed; without a trial as they stand."""
    if not listed:
        return tried
    own = [port.name for port in tried] if tried else [""] * len(listed)
    for port, place in zip(listed, torch_names.match_names([port.name for port in listed], own, "output")):
        port.place = place
        if not tried:
            continue
        real = tried[place]
        if real.dtype != port.dtype or len(real.shape) != len(port.shape):
            raise Error(
                f"output '{port.name}' is {text(port.dtype, port.shape)} in the configuration, but the model answers "
                f"{text(real.dtype, real.shape)}"
            )
    return listed
