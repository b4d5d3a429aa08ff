"""How the tensors of programs of PyTorch's are called; backends/pytorch/tensor_names.h and pytree.h are the same of the
plugin."""

import json
import re

from modelmill.errors import Error

_PLACE = re.compile(r".+__(\d+)$", re.DOTALL)


def input_name(place):
    return f"INPUT__{place}"


def output_name(place):
    return f"OUTPUT__{place}"


def match_names(configured, own, kind):
    """Which of the program's places each configured tensor means, as Triton's PyTorch backend has it: all by the program's
    own names, else all by NAME__INDEX, else by their order. `own`: the program's names, "" for what has none."""
    if all(name in own for name in configured):
        places = [own.index(name) for name in configured]
    elif all(_PLACE.match(name) for name in configured):
        places = [int(_PLACE.match(name).group(1)) for name in configured]
    else:
        places = list(range(len(configured)))
    for number, (name, place) in enumerate(zip(configured, places)):
        if place >= len(own):
            raise Error(
                f"{kind} '{name}' of the configuration would be number {place} (from 0), but the model has {len(own)} {kind}s"
            )
        if place in places[:number]:
            raise Error(f"{kind} '{name}' of the configuration is number {place}, as another one")
    return places


def pytree_names(spec):
    """A name for each leaf of torch's description of a structure, as JSON: its keys; "" for what has none."""
    try:
        return list(_leaves(json.loads(spec)[1], ""))
    except (ValueError, LookupError, TypeError):
        return []


def _leaves(node, path):
    if node["type"] is None:
        yield path
        return
    children = node["children_spec"]
    keys = json.loads(node["context"] or "[]") if "ict" in node["type"] else []
    for place, child in enumerate(children):
        name = path
        if place < len(keys):
            name = f"{path}.{keys[place]}" if path else str(keys[place])
        elif path and len(children) > 1:
            name = f"{path}.{place}"
        yield from _leaves(child, name)
