"""The yardstick of bench/runtimes.py: OpenVINO alone, called in a loop on one thread, the model compiled for one shape.

    bare_openvino.py MODEL --seconds S [--batch N] --input NAME:DTYPE:1x3x48x192:FILE ...

With --batch each run has the inputs so many times, one after another along their first dimension. Prints one JSON
object: runs, seconds, cpu_us (user and system, of the whole process, in the measured part). Runs in an environment that
has OpenVINO; the loop's own Python is a few microseconds of a run.
"""

import argparse
import json
import resource
import time

import numpy as np
import openvino as ov

DTYPES = {"FP32": np.float32, "INT32": np.int32, "INT64": np.int64}
OPTIONS = {"NUM_STREAMS": 1, "INFERENCE_NUM_THREADS": 1, "INFERENCE_PRECISION_HINT": "f32", "ENABLE_CPU_PINNING": False}


def parse_input(text, batch):
    name, dtype, shape, path = text.split(":", 3)
    array = np.fromfile(path, DTYPES[dtype]).reshape([int(size) for size in shape.split("x")])
    return name, ov.Tensor(np.repeat(array, batch, axis=0))


def cpu_us():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return (usage.ru_utime + usage.ru_stime) * 1e6


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("model")
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--input", action="append", required=True)
    options = parser.parse_args()
    inputs = dict(parse_input(text, options.batch) for text in options.input)
    core = ov.Core()
    model = core.read_model(options.model)
    model.reshape({name: list(tensor.shape) for name, tensor in inputs.items()})
    request = core.compile_model(model, "CPU", OPTIONS).create_infer_request()
    for name, tensor in inputs.items():
        request.set_tensor(name, tensor)
    request.infer()  # prepares its memory
    runs, cpu_before, began = 0, cpu_us(), time.perf_counter()
    while (seconds := time.perf_counter() - began) < options.seconds:
        request.infer()
        runs += 1
    print(json.dumps({"runs": runs, "seconds": seconds, "cpu_us": cpu_us() - cpu_before}))


if __name__ == "__main__":
    main()
