"""Functions that compare the answers of a route's shadow: what @modelmill.comparison marks, and the model that each becomes."""

import dataclasses
import faulthandler
import functools
import inspect
import json
import math
import numbers
import sys
import typing

import numpy as np

from modelmill import api
from modelmill.errors import Error
from modelmill.types import Tensor
from modelmill.worker import frames


@dataclasses.dataclass(frozen=True)
class _Settings:
    limit: float
    timeout: float


def comparison(function=None, *, limit=0.0, timeout=10.0, memory_mb=2048, workers=0):
    """Serves a function that compares what two versions have answered, for the `compare` of a route's shadow.

    It is called with `primary` and `shadow`, each {output's name: array}, and, where it has an argument of that name,
    `inputs` of the request likewise. It returns whether they agree (a bool), or how far they are apart: a number of at
    least 0, and more than `limit` is a disagreement. A text that says why can come with it: `return False, "..."`.

    A call that takes longer than `timeout` seconds, or with which the process has more than `memory_mb` MiB of its own,
    ends the process; another one is started.

    The function stays what it was, and can be called and tested without a server.
    """
    limit, timeout = float(limit), float(timeout)
    if not (math.isfinite(limit) and limit >= 0):
        raise ValueError(f"limit={limit}: a distance is allowed up to a number of at least 0")
    if not (math.isfinite(timeout) and timeout > 0):
        raise ValueError(f"timeout={timeout}: it must be seconds, more than 0")

    def mark(target):
        target.__modelmill__ = api.ModelOptions(0, workers, "cpu", "output", None, memory_mb)
        target.__modelmill_comparison__ = _Settings(limit, timeout)
        return target

    return mark if function is None else mark(function)


class Verdict(typing.NamedTuple):
    """The outputs of a model that compares; src/route/function_comparison.h reads them."""

    distance: float
    limit: float
    why: str


def served(name, function):
    """The function as a model: of both answers and the inputs in one tensor, to a Verdict."""
    settings, takes_inputs = function.__modelmill_comparison__, _takes_inputs(name, function)

    def compare(comparison: Tensor[np.uint8, -1]) -> Verdict:
        sides = _sides(comparison)
        if not takes_inputs:
            del sides["inputs"]
        # Not by a thread of Python's: code that hangs may do it in C, with Python's lock.
        faulthandler.dump_traceback_later(settings.timeout, exit=True, file=sys.__stderr__)
        try:
            return _verdict(name, function(**sides), settings.limit)
        finally:
            faulthandler.cancel_dump_traceback_later()

    functools.update_wrapper(compare, function, assigned=("__name__", "__doc__"))
    del compare.__wrapped__  # its signature is its own
    return compare


def _takes_inputs(name, function):
    if not inspect.isfunction(function) or inspect.iscoroutinefunction(function) or inspect.isgeneratorfunction(function):
        raise Error(f"'{name}' is marked with @modelmill.comparison, which is for functions that are not async and yield nothing")
    names = list(inspect.signature(function).parameters)
    if names not in (["primary", "shadow"], ["primary", "shadow", "inputs"]):
        raise Error(f"'{name}' has the arguments ({', '.join(names)}); a comparison has (primary, shadow) or (primary, shadow, inputs)")
    return len(names) == 3


def _sides(packed):
    """{"primary": {name: array}, "shadow": ..., "inputs": ...} of what the server has packed."""
    try:
        size = int.from_bytes(packed[:4].tobytes(), "little")
        places = json.loads(packed[4 : 4 + size].tobytes())
        begin = -(-(4 + size) // 64) * 64
        return {
            side: {place["name"]: _array(packed, begin + place["at"], place) for place in places[side]}
            for side in ("primary", "shadow", "inputs")
        }
    except Exception as error:
        raise Error(f"this model compares the answers of shadows, and what came are none: {error}") from None


def _array(packed, at, place):
    number = frames.NUMBERS[place["dtype"]]
    if number != frames.STRING:
        return np.ndarray(place["shape"], frames.NUMPY[number], packed, at)
    data, texts, begin = packed[at : at + place["size"]].tobytes(), [], 0
    while begin < len(data):
        end = begin + 4 + int.from_bytes(data[begin : begin + 4], "little")
        texts.append(data[begin + 4 : end])
        begin = end
    array = np.empty(len(texts), object)
    array[:] = texts
    return array.reshape(place["shape"])


def _verdict(name, value, limit):
    why = ""
    if isinstance(value, tuple) and len(value) == 2 and isinstance(value[1], str):
        value, why = value
    if isinstance(value, np.ndarray) and value.ndim == 0:
        value = value[()]
    if isinstance(value, (bool, np.bool_)):
        return Verdict(0.0 if value else 1.0, 0.0, why)
    if isinstance(value, numbers.Real) and value >= 0:  # not NaN
        return Verdict(float(value), limit, why)
    raise TypeError(
        f"'{name}' returned {_shown(value)}; a comparison returns True where the answers agree, or how far they are apart, a "
        "number of at least 0; beside it a text may stand that says why"
    )


def _shown(value):
    text = repr(value)
    return f"{type(value).__name__} {text if len(text) <= 100 else text[:100] + '...'}"


__all__ = ["comparison"]
