"""Load by h2load: closed loops over HTTP/2 or HTTP/1.1, each checked to have been answered as the first call was."""

import dataclasses
import json
import re
import resource
import subprocess
import time

from processes import environment

GRPC_HEADERS = ("content-type: application/grpc", "te: trailers")
INFER_METHOD = "/inference.GRPCInferenceService/ModelInfer"


@dataclasses.dataclass(frozen=True)
class Level:
    """So many connections, each with so many requests in flight."""

    connections: int
    streams: int

    def __str__(self):
        return f"{self.connections} x {self.streams}"

    @property
    def in_flight(self):
        return self.connections * self.streams


@dataclasses.dataclass(frozen=True)
class Request:
    """What is sent again and again: to a path, with headers, the bytes of a file."""

    path: str
    body: str
    headers: tuple
    grpc: bool = True


@dataclasses.dataclass
class Outcome:
    requests_per_second: float
    cpu_us: float  # of the server, for each request
    client_cores: float = 0  # that the load itself kept busy


def infer_message(model, tensors):
    """The bytes of a ModelInferRequest; tensors: {name: array}."""
    import tritonclient.grpc.service_pb2 as pb
    from tritonclient.utils import np_to_triton_dtype

    message = pb.ModelInferRequest(model_name=model)
    for name, array in tensors.items():
        message.inputs.add(name=name, datatype=np_to_triton_dtype(array.dtype), shape=array.shape)
        message.raw_input_contents.append(array.tobytes())
    return message.SerializeToString()


def grpc_request(folder, label, model, tensors):
    """A Request of one gRPC call, whose frame is written into `folder`."""
    message = infer_message(model, tensors)
    path = folder / f"{label}.grpc"
    path.write_bytes(b"\0" + len(message).to_bytes(4, "big") + message)
    return Request(INFER_METHOD, str(path), GRPC_HEADERS)


def binary_request(folder, label, model, tensors):
    """A Request of the same call over HTTP, its tensors as binary data, and its outputs too."""
    import tritonclient.http as http
    from tritonclient.utils import np_to_triton_dtype

    inputs = []
    for name, array in tensors.items():
        inputs.append(http.InferInput(name, array.shape, np_to_triton_dtype(array.dtype)))
        inputs[-1].set_data_from_numpy(array, binary_data=True)
    body, head_size = http.InferenceServerClient.generate_request_body(inputs)
    path = folder / f"{label}.binary"
    path.write_bytes(body)
    headers = ("content-type: application/octet-stream", f"inference-header-content-length: {head_size}")
    return Request(f"/v2/models/{model}/infer", str(path), headers, grpc=False)


def json_request(folder, label, model, tensors):
    """A Request of the same call over HTTP, all of it JSON: numbers as Python writes them."""
    from tritonclient.utils import np_to_triton_dtype

    inputs = [
        {
            "name": name,
            "shape": array.shape,
            "datatype": np_to_triton_dtype(array.dtype),
            "data": array.ravel().tolist(),
        }
        for name, array in tensors.items()
    ]
    path = folder / f"{label}.json"
    path.write_text(json.dumps({"inputs": inputs}))
    return Request(f"/v2/models/{model}/infer", str(path), ("content-type: application/json",), grpc=False)


def header_arguments(request):
    """Its headers as curl and h2load take them."""
    return [part for header in request.headers for part in ("-H", header)]


def ask_once(url, request):
    """The body of one answer, by curl; an error when it is none."""
    version = "--http2-prior-knowledge" if request.grpc else "--http1.1"
    result = subprocess.run(
        ["curl", "-sS", version, "--max-time", "60", "-D", "-", "--data-binary", f"@{request.body}",
         "-H", "Expect:", *header_arguments(request), url + request.path],
        capture_output=True, check=False, env=environment(),
    )  # fmt: skip
    head, _, rest = result.stdout.partition(b"\r\n\r\n")
    ok = result.returncode == 0 and b" 200" in head.split(b"\r\n")[0]
    trailers = result.stdout[-400:] + head
    if ok and request.grpc:
        ok = b"grpc-status: 0" in trailers
    if not ok:
        raise RuntimeError(f"{url}{request.path}: {head.decode(errors='replace')} {rest[-400:]!r} {result.stderr!r}")
    if request.grpc:
        length = int.from_bytes(rest[1:5], "big")
        return rest[: 5 + length]
    return rest


def _client_seconds():
    """User and system time of the children that have ended; the servers have not."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def run(server, request, level, count, answer_bytes=None):
    """`count` requests to a Process. Fails unless all were answered, by `answer_bytes` each."""
    protocol = [] if request.grpc else ["--h1"]
    cpu_before, client_before, began = server.cpu_us(), _client_seconds(), time.perf_counter()
    result = subprocess.run(
        ["h2load", *protocol, "-n", str(count), "-c", str(level.connections), "-m", str(level.streams), "-t", "1",
         "-d", request.body, *header_arguments(request), server.url + request.path],
        capture_output=True, text=True, check=False, env=environment(),
    )  # fmt: skip
    client_cores = (_client_seconds() - client_before) / (time.perf_counter() - began)
    cpu_us = server.cpu_us() - cpu_before
    text = result.stdout
    requests = re.search(r"(\d+) done, (\d+) succeeded, (\d+) failed, (\d+) errored, (\d+) timeout", text)
    speed = re.search(r"finished in .*?, ([\d.]+) req/s", text)
    data = re.search(r"\((\d+)\) data", text)
    if not (requests and speed and data):
        raise RuntimeError(f"{server.name} at {level}: {text[-1500:]}{result.stderr[-500:]}")
    done, succeeded, _, errored, timed_out = map(int, requests.groups())
    # h2load does not see a status without a reason phrase; then that all answers are as long as the first has to do.
    no_status = "0 2xx, 0 3xx, 0 4xx, 0 5xx" in text and answer_bytes is not None
    if done != count or errored or timed_out or (succeeded != count and not no_status):
        raise RuntimeError(f"{server.name} at {level}: {text[-1500:]}{result.stderr[-500:]}")
    if answer_bytes is not None and int(data.group(1)) != count * answer_bytes:
        raise RuntimeError(f"{server.name} at {level}: {data.group(1)} bytes of answers, not {count} x {answer_bytes}")
    return Outcome(float(speed.group(1)), cpu_us / count, client_cores)


def calibrate(server, request, level, seconds, answer_bytes=None):
    """How many requests take about `seconds`, from shorter runs that warm the server up too."""
    count = max(level.in_flight, 8)
    while True:
        outcome = run(server, request, level, count, answer_bytes)
        took = count / outcome.requests_per_second
        if took > seconds / 5:
            return max(int(outcome.requests_per_second * seconds), 2 * level.in_flight)
        count = min(int(count * 10), int(outcome.requests_per_second * seconds / 3) + count)
