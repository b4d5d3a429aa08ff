"""Where a model's workers compute, when its configuration leaves that to its code."""

import re

from modelmill.errors import Error

CPU, GPU, AUTO = "cpu", "cuda", "auto"
_ONE = re.compile(r"cpu|cuda:\d+")


def checked(device):
    """What `device=` of a model may be: "cpu", "cuda" (all GPUs), "cuda:1", "auto" (GPUs where there are any), or a list
    of "cpu" and "cuda:N"."""
    if device in (CPU, GPU, AUTO):
        return device
    listed = [device] if isinstance(device, str) else list(device)
    if not listed or not all(isinstance(one, str) and _ONE.fullmatch(one) for one in listed):
        raise ValueError(f'device={device!r}: it is "cpu", "cuda", "cuda:1", "auto", or a list of such as "cuda:1"')
    return listed


def _devices(wanted, gpus):
    """A worker's devices, the first worker's first."""
    everywhere = [f"{GPU}:{number}" for number in range(gpus)]
    if wanted == AUTO:
        return everywhere or [CPU]
    if wanted == CPU:
        return [CPU]
    there = {0: "there is none"}.get(gpus, f"there are cuda:0 to cuda:{gpus - 1}" if gpus > 1 else "there is cuda:0 alone")
    devices = everywhere if wanted == GPU else wanted
    missing = [device for device in devices if device != CPU and device not in everywhere]
    if missing or not devices:
        raise Error(
            f"its code asks for device '{', '.join(missing) or GPU}', but of GPUs {there}; say device=\"auto\" in the code, "
            "or `device: cpu` in the model's configuration"
        )
    return devices


def settle(hello, wanted):
    """Decides about this worker, unless the configuration has: `hello`, the server's first message, has the worker's
    device and the number of workers from then on. Each gets the next device, and the first one again after the last."""
    if hello["placed"]:
        return
    devices = _devices(wanted, hello["gpus"])
    hello["device"] = devices[hello["instance"] % len(devices)]
    if devices != [CPU]:
        hello["workers"] = len(devices)
