"""What a file of PyTorch's turns out to be, told without torch; backends/pytorch/torch_file.h is the same of the plugin."""

import dataclasses
import re
import zipfile

from modelmill.errors import Error

_CODE = re.compile(r"(?:^|/)data/aotinductor/([^/]+)/")
_MOST_WRAPPER = 64 << 20
_MOST_RANK = 32
_TO_SCRIPT = "torch.jit.script(model).save(FILE), or torch.jit.trace(model, inputs).save(FILE)"
_TO_PACKAGE = "torch._inductor.aoti_compile_and_package(torch.export.export(model, inputs))"


@dataclasses.dataclass
class Size:
    """What a package's code takes as one size of an input; `most` -1: there is no limit."""

    least: int = 0
    most: int = -1

    @property
    def fixed(self):
        return self.least == self.most


@dataclasses.dataclass
class TorchFile:
    model: str = ""  # of a package: the one in it that is served; empty: TorchScript
    inputs: list = None  # of a package: (type, [Size]) of each input, where its code tells them


def look(path):
    """A TorchFile. Error says what it is, and the remedy, when it can't be served."""
    try:
        with zipfile.ZipFile(path) as archive:
            return _look_at_archive(path, archive)
    except zipfile.BadZipFile:
        pass
    with open(path, "rb") as file:
        begin = file.read(4)
    if begin == b"PK\3\4":
        raise Error(f"file '{path}' can't be loaded: it is cut, its archive has no end; copy it again", code="DATA_LOSS")
    if begin.startswith(b"\x80\2"):
        raise _saved(path)
    raise Error(
        f"file '{path}' can't be loaded: it is no file of PyTorch's; write the model with {_TO_SCRIPT}, or compile it "
        f"with {_TO_PACKAGE}"
    )


def _look_at_archive(path, archive):
    names = archive.namelist()
    models = sorted({found.group(1) for name in names if (found := _CODE.search(name))})
    if models:
        return _look_at_package(path, archive, names, models)
    inside = {name.partition("/")[2] or name for name in names}
    if "data.pkl" in inside and "constants.pkl" in inside:
        return TorchFile()
    if any(name.startswith("models/") and name.endswith(".json") for name in inside) or any(
        name.endswith("serialized_exported_program.json") for name in names
    ):
        raise Error(
            f"file '{path}' was written by torch.export.save: the program in it is not compiled; compile it with "
            "torch._inductor.aoti_compile_and_package(torch.export.load(FILE))"
        )
    if "data.pkl" in inside:
        raise _saved(path)
    raise Error(
        f"file '{path}' is an archive, but none of PyTorch's: it has neither TorchScript nor a package of AOTInductor"
    )


def _saved(path):
    return Error(
        f"file '{path}' was written by torch.save: it has values (a state_dict) or pickled objects of Python, but no "
        f"program; write the model with {_TO_SCRIPT}, or compile it with {_TO_PACKAGE}"
    )


def _look_at_package(path, archive, names, models):
    if "model" not in models and len(models) > 1:
        listed = ", ".join(f"'{name}'" for name in models)
        raise Error(
            f"package '{path}' has several models, {listed}, and none of the name 'model', which is the one that is served"
        )
    out = TorchFile("model" if "model" in models else models[0])
    own = [name for name in names if (found := _CODE.search(name)) and found.group(1) == out.model]
    sources = [name for name in own if name.endswith(".cpp") and not name.endswith(".kernel.cpp")]
    sources.sort(key=lambda name: not name.endswith(".wrapper.cpp"))
    if sources and archive.getinfo(sources[0]).file_size <= _MOST_WRAPPER:
        out.inputs = read_wrapper(archive.read(sources[0]).decode(errors="replace"))
    return out


# By the names that torch has for them.
_NUMBERS = "bool uint8 uint16 uint32 uint64 int8 int16 int32 int64".split()
TYPES = {name: name.upper() for name in _NUMBERS}
TYPES.update(float16="FP16", bfloat16="BF16", float32="FP32", float64="FP64")


def read_wrapper(source):
    """[(type, [Size])] of the inputs, out of the C++ that AOTInductor writes around a model and packs beside the code:
    the package has them nowhere else, and the code trusts what it is called with. None when they can't be told wholly."""
    out = []
    while found := re.search(rf'inputs_info_\[{len(out)}\]\.name = "([^"]*)"', source):
        begin = source.find(f"check_input_{len(out)}(")
        if begin < 0:
            return None
        checks = source[begin:].partition("\n}")[0]
        name = re.escape(found.group(1))
        told = re.search(rf" {name}_expected_dtype = aoti_torch_dtype_(\w+)\(", checks)
        if told is None or told.group(1) not in TYPES:
            return None
        out.append((TYPES[told.group(1)], _read_sizes(checks, name)))
    return out or None


def _read_sizes(checks, name):
    """Out of conditions: `64 != x_size[1]`, `x_size[0] < 2`, `x_size[0] > 64`, `1 != x_stride[1]`."""
    sizes = {}
    for before, kind, index, sign, after in re.findall(
        rf"if \((?:(-?\d+) != )?{name}_(size|stride)\[(\d+)\](?: ([<>]) (-?\d+))?", checks
    ):
        if int(index) >= _MOST_RANK:
            continue
        size = sizes.setdefault(int(index), Size())
        if kind == "stride":
            continue
        if before:
            size.least = size.most = int(before)
        elif sign == "<":
            size.least = int(after)
        elif sign == ">":
            size.most = int(after)
    return [sizes.get(index, Size()) for index in range(max(sizes, default=-1) + 1)]
