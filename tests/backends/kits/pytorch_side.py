"""PyTorch's side of its kit: see kit.py."""

import typing
import warnings

import numpy as np
import torch
from torch import Tensor, nn

warnings.filterwarnings("ignore", category=FutureWarning)
torch.set_num_threads(1)

BATCH = torch.export.Dim("batch", min=1, max=64)


class Same(nn.Module):
    def forward(self, x):
        return x


class SameTexts(nn.Module):
    def forward(self, x: list[str]) -> list[str]:
        return x


class AddOne(nn.Module):
    def forward(self, x):
        return x + 1


class AddSub(nn.Module):
    def forward(self, a, b):
        return {"sum": a + b, "difference": a - b}


class Attend(nn.Module):
    """Over a sequence of any length: rows are independent, steps are not."""

    def forward(self, x) -> tuple[Tensor, Tensor]:
        scores = torch.softmax(x @ x.transpose(1, 2) / 4.0, -1)
        return scores @ x, x.mean([1, 2])


class Texts(nn.Module):
    def forward(self, s: list[str]) -> tuple[list[str], Tensor]:
        return [text.upper() for text in s], torch.tensor([len(text) for text in s])


class Slow(nn.Module):
    def forward(self, x):
        matrix = x.repeat(1, 4096).reshape(256, 256)
        for _ in range(400):
            matrix = torch.tanh(matrix @ matrix)
        return matrix.mean().reshape(1, 1)


class Pick(nn.Module):
    def forward(self, index):
        return torch.tensor([1.0, 2.0, 3.0])[index]


class Refuse(nn.Module):
    def forward(self, x):
        if bool((x < 0).any()):
            raise ValueError("x is below zero")
        return x.sqrt()


class Block(nn.Module):
    def __init__(self, inside, outside, stride):
        super().__init__()
        self.first = nn.Sequential(nn.Conv2d(inside, outside, 3, stride, 1, bias=False), nn.BatchNorm2d(outside), nn.ReLU())
        self.second = nn.Sequential(nn.Conv2d(outside, outside, 3, 1, 1, bias=False), nn.BatchNorm2d(outside))
        self.beside = nn.Conv2d(inside, outside, 1, stride, bias=False)

    def forward(self, x):
        return torch.relu(self.second(self.first(x)) + self.beside(x))


def resnet(width=8):
    torch.manual_seed(3)
    blocks = [Block(width, width, 1), Block(width, 2 * width, 2), Block(2 * width, 4 * width, 2)]
    head = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4 * width, 10)]
    return nn.Sequential(nn.Conv2d(3, width, 3, 1, 1), *blocks, *head).eval()


def mlp():
    torch.manual_seed(1)
    return nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 10), nn.Softmax(-1)).eval()


class Scaled(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = mlp()

    def forward(self, x, *, scale):
        return {"y": self.inner(x) * scale, "total": x.sum(1)}


class Counter(nn.Module):
    """Answers how often it was asked before."""

    def __init__(self):
        super().__init__()
        self.register_buffer("asked", torch.zeros(1))

    def forward(self, x):
        before = self.asked.clone()
        self.asked.add_(1)
        return x + before


class InPlace(nn.Module):
    """Writes over its input, and tells what it was."""

    def forward(self, x) -> tuple[Tensor, Tensor]:
        before = x.clone()
        return before, x.mul_(2)


class Loose(nn.Module):
    """Arguments of all kinds."""

    def forward(
        self, x, shift: int, factor: float = 2.0, twice: typing.Optional[Tensor] = None, names: typing.Optional[list[str]] = None
    ):
        y = x * factor + shift
        return y if twice is None else y + 2 * twice


class Keyed(nn.Module):
    def forward(self, features: dict[str, Tensor]) -> dict[str, Tensor]:
        return {"sum": features["left"] + features["right"]}


class Point(typing.NamedTuple):
    left: Tensor
    top: Tensor


class Named(nn.Module):
    def forward(self, x) -> Point:
        return Point(x, -x)


def scripted(module):
    return torch.jit.script(module)


def traced(module, *inputs):
    return torch.jit.trace(module.eval(), inputs, strict=False)


def save(folder, name, module):
    file = folder / name / "1/model.pt"
    file.parent.mkdir(parents=True)
    module.save(str(file))


def make_package(folder, name, module, arguments, keywords, sizes):
    exported = torch.export.export(module, arguments, keywords, dynamic_shapes=sizes)
    file = folder / name / "1/model.pt2"
    file.parent.mkdir(parents=True)
    torch._inductor.aoti_compile_and_package(exported, package_path=str(file))
    return exported


def make_unservable(folder):
    """Files that torch writes and that hold no program that can be run."""
    (folder / "saved").mkdir()
    torch.save(mlp().state_dict(), folder / "saved/state_dict.pt")
    torch.save(mlp().state_dict(), folder / "saved/old.pt", _use_new_zipfile_serialization=False)
    torch.export.save(torch.export.export(mlp(), (torch.zeros(2, 64),)), folder / "saved/exported.pt2")


def make(folder):
    for name in ("bool", "uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64", "fp16", "bf16", "fp32", "fp64"):
        save(folder, f"identity_{name}", scripted(Same()))
    save(folder, "identity_bytes", scripted(SameTexts()))
    save(folder, "scalar", traced(AddOne(), torch.tensor(1.0)))
    save(folder, "add_sub", traced(AddSub(), *[torch.zeros(2, 16, dtype=torch.int32)] * 2))
    save(folder, "attend", scripted(Attend()))
    save(folder, "strings", scripted(Texts()))
    save(folder, "slow", scripted(Slow()))
    save(folder, "pick", scripted(Pick()))
    save(folder, "refuse", scripted(Refuse()))
    save(folder, "cnn", traced(resnet(), torch.zeros(1, 3, 32, 32)))
    save(folder, "mlp", traced(mlp(), torch.zeros(1, 64)))
    save(folder, "half", traced(mlp().half(), torch.zeros(1, 64, dtype=torch.float16)))
    save(folder, "wide", traced(nn.Linear(4, 4096).eval(), torch.zeros(1, 4)))
    save(folder, "counter", scripted(Counter()))
    save(folder, "in_place", scripted(InPlace()))
    save(folder, "loose", scripted(Loose()))
    save(folder, "keyed", scripted(Keyed()))
    save(folder, "named", scripted(Named()))
    keywords = {"scale": torch.ones(2, 1)}
    make_package(folder, "packed", Scaled(), (torch.zeros(2, 64),), keywords, {"x": {0: BATCH}, "scale": {0: BATCH}})
    make_unservable(folder)


def load(folder):
    if (folder / "model.pt2").exists():
        return torch._inductor.aoti_load_package(str(folder / "model.pt2"))
    return torch.jit.load(str(folder / "model.pt")).eval()


def to_torch(array):
    if array.dtype == object:
        return [value.decode() for value in array]
    return torch.from_numpy(array.copy())


def answer(loaded, arrays):
    with torch.inference_mode():
        keywords = {name: to_torch(value) for name, value in arrays.items() if name == "scale"}
        outputs = loaded(*[to_torch(value) for name, value in arrays.items() if name not in keywords], **keywords)
    if isinstance(outputs, dict):
        return {name: value.numpy() for name, value in outputs.items()}
    if isinstance(outputs, Tensor):
        outputs = (outputs,)
    return {f"OUTPUT__{i}": to_numpy(value) for i, value in enumerate(outputs)}


def to_numpy(value):
    return value.numpy() if isinstance(value, Tensor) else np.array([text.encode() for text in value], object)
