"""Tensors in shared memory against the same in the request: the identity, both ways, over both protocols."""

import json
import multiprocessing.shared_memory
import urllib.request

import numpy as np

import load
from load import Level
from measure import cpu, median, progress, ratio, served, speed, table

SIZES = {"16 KB": 1 << 14, "256 KB": 1 << 18, "1 MB": 1 << 20, "16 MB": 1 << 24}
LEVEL = Level(4, 1)


def _register(server, key, size):
    body = json.dumps({"key": f"/{key}", "byte_size": size}).encode()
    url = f"{server.url}/v2/systemsharedmemory/region/{key}/register"
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    opener.open(urllib.request.Request(url, data=body, method="POST"), timeout=30).read()


def _place(key, size, offset):
    return {"shared_memory_region": key, "shared_memory_byte_size": size, "shared_memory_offset": offset}


def _http_request(folder, key, size):
    tensor = {"name": "x", "datatype": "FP32", "shape": [1, size // 4], "parameters": _place(key, size, 0)}
    output = {"name": "y", "parameters": _place(key, size, size)}
    path = folder / f"{key}.shared.json"
    path.write_text(json.dumps({"inputs": [tensor], "outputs": [output]}))
    return load.Request("/v2/models/identity/infer", str(path), ("content-type: application/json",), grpc=False)


def _grpc_request(folder, key, size):
    import tritonclient.grpc.service_pb2 as pb

    message = pb.ModelInferRequest(model_name="identity")
    tensor = message.inputs.add(name="x", datatype="FP32", shape=[1, size // 4])
    for tensor, offset in ((tensor, 0), (message.outputs.add(name="y"), size)):
        for name, value in _place(key, size, offset).items():
            field = "string_param" if isinstance(value, str) else "int64_param"
            setattr(tensor.parameters[name], field, value)
    path = folder / f"{key}.shared.grpc"
    data = message.SerializeToString()
    path.write_bytes(b"\0" + len(data).to_bytes(4, "big") + data)
    return load.Request(load.INFER_METHOD, str(path), load.GRPC_HEADERS)


def _row(bench, label, size, protocol):
    memory = multiprocessing.shared_memory.SharedMemory(create=True, size=2 * size)
    try:
        array = np.random.default_rng(1).standard_normal((1, size // 4)).astype(np.float32)
        memory.buf[:size] = array.tobytes()
        _register(bench.modelmill, memory.name, 2 * size)
        if protocol == "gRPC":
            body = load.grpc_request(bench.folder, f"body{size}", "identity", {"x": array})
            shared = _grpc_request(bench.folder, memory.name, size)
        else:
            body = load.binary_request(bench.folder, f"body{size}", "identity", {"x": array})
            shared = _http_request(bench.folder, memory.name, size)
        measured = bench.interleaved({
            "shared": served(bench, bench.modelmill, shared, LEVEL),
            "body": served(bench, bench.modelmill, body, LEVEL),
        })  # fmt: skip
        assert bytes(memory.buf[size : 2 * size]) == array.tobytes()
    finally:
        memory.close()
        memory.unlink()
    shared, body = measured["shared"], measured["body"]
    return [
        label, protocol, f"{median(map(cpu, shared)):.1f}", f"{median(map(cpu, body)):.1f}",
        f"**{ratio(shared, body, cpu):.2f}**", f"{median(map(speed, shared)):,.0f}", f"{median(map(speed, body)):,.0f}",
        f"{ratio(shared, body, speed):.2f}",
    ]  # fmt: skip


def measure(bench):
    rows = []
    for label, size in SIZES.items():
        for protocol in ("gRPC", "HTTP"):
            rows.append(_row(bench, label, size, protocol))
            progress("shared", rows[-1])
    return "## Tensors in shared memory, against those in the request\n\n" + table(
        ["tensor, each way", "protocol", "shared, CPU us", "in the request, CPU us", "ratio", "shared, req/s",
         "in the request, req/s", "ratio"], rows,
    )  # fmt: skip
