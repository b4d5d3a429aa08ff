"""A worker whose code turned against the server: garbage in its messages and in its memory costs it its life, and the
server nothing."""

import os
import pathlib

import pytest

import python_workers
import servers
from test_python_faults import ask, wait_answer

# Each entry of WAYS runs inside of the worker, with its link, the number of the execution, and what makes frames.
HOSTILE = """
import fcntl, inspect, os, random, socket, struct
from modelmill.worker import frames
from modelmill.worker.frames import Frame

def response(link, number, *tensors, request=0, flags=0, block=(frames.NO_REGION, 0), kind=0, count=None, text=b"", size=None):
    body = [frames.RESPONSE.pack(flags, 1, *block)]
    body += [frames.ANSWER.pack(request, kind, 1, len(tensors) if count is None else count, len(text) if size is None else size)]
    link.send(Frame.RESPONSE, number, *body, *tensors, text)

def tensor(index=0, dtype=11, rank=1, region=0, offset=0, size=16, shape=(4,)):
    return frames.TENSOR.pack(index, dtype, rank, region, offset, size) + struct.pack(f"<{len(shape)}q", *shape)

def region(link, number=7, size=1 << 20, seals=7, real_size=None, make=os.memfd_create):
    fd = make("x", os.MFD_ALLOW_SEALING)
    os.ftruncate(fd, real_size or size)
    if seals:
        fcntl.fcntl(fd, 1033, seals)
    body = frames.REGION.pack(number, size)
    socket.send_fds(link.socket, [frames.HEADER.pack(16 + len(body), Frame.REGION, 1, 0) + body], [fd])
    return fd

def strings(link, number, offsets, count=3):
    where, block, begin, into = link.memory.allocate(256)
    into[begin : begin + 8 * len(offsets)] = struct.pack(f"<{len(offsets)}Q", *offsets)
    response(link, number, tensor(index=1, dtype=13, region=where, offset=begin, size=200, shape=(count,)))

def garbage(link, number, seed):
    chance = random.Random(seed)
    for _ in range(50):
        kind = chance.choice([34, 35, 16, 33, 99])
        body = chance.randbytes(chance.randrange(200))
        link.socket.sendall(frames.HEADER.pack(16 + len(body), kind, 0, number) + body)

WAYS = {
    "far": lambda link, n: (link.memory.allocate(64), response(link, n, tensor(offset=1 << 40))),
    "beyond": lambda link, n: (link.memory.allocate(64), response(link, n, tensor(offset=(1 << 20) - 8))),
    "overflow": lambda link, n: (link.memory.allocate(64), response(link, n, tensor(offset=(1 << 64) - 8))),
    "long": lambda link, n: (link.memory.allocate(64), response(link, n, tensor(size=1 << 40, shape=(1 << 38,)))),
    "negative": lambda link, n: (link.memory.allocate(64), response(link, n, tensor(shape=(-4,)))),
    "many": lambda link, n: (link.memory.allocate(64), response(link, n, tensor(rank=2, shape=(1 << 62, 1 << 62)))),
    "rank": lambda link, n: (link.memory.allocate(64), response(link, n, tensor(rank=200, shape=(1,) * 200))),
    "dtype": lambda link, n: (link.memory.allocate(64), response(link, n, tensor(dtype=77))),
    "other type": lambda link, n: (link.memory.allocate(64), response(link, n, tensor(dtype=12, size=32))),
    "unaligned": lambda link, n: (link.memory.allocate(64), response(link, n, tensor(offset=65))),
    "no region": lambda link, n: response(link, n, tensor(region=55)),
    "server memory": lambda link, n: response(link, n, tensor(region=frames.SERVER_MEMORY | 0, offset=1 << 19)),
    "index": lambda link, n: (link.memory.allocate(64), response(link, n, tensor(index=9))),
    "request": lambda link, n: response(link, n, request=5),
    "twice": lambda link, n: [response(link, n, kind=1, count=3, text=b"no") for _ in range(2)],
    "execution": lambda link, n: response(link, n + 1000, kind=1, count=3),
    "block": lambda link, n: (link.memory.allocate(64), response(link, n, kind=1, count=3, block=(0, 1 << 40))),
    "small block": lambda link, n: (region(link, size=4), response(link, n, kind=1, count=3, block=(7, 1 << 40))),
    "short": lambda link, n: response(link, n, kind=0, count=500),
    "text": lambda link, n: response(link, n, kind=1, text=b"x", size=1 << 31),
    "descending": lambda link, n: strings(link, n, [0, 50, 10, 60]),
    "past the end": lambda link, n: strings(link, n, [0, 5, 10, 1 << 40]),
    "no table": lambda link, n: strings(link, n, [0], count=1 << 40),
    "unsealed": lambda link, n: region(link, seals=0),
    "smaller": lambda link, n: region(link, size=1 << 20, real_size=4096),
    "a file": lambda link, n: region(link, seals=0, make=lambda *_: os.open(os.environ["HOSTILE_FILE"], os.O_RDWR | os.O_CREAT)),
    "too much": lambda link, n: region(link, size=1 << 34),
    "no fd": lambda link, n: link.send(Frame.REGION, 0, frames.REGION.pack(3, 4096)),
    "fds": lambda link, n: [socket.send_fds(link.socket, [frames.frame(Frame.FREE, 1)], [0] * 10) for _ in range(3)],
    "huge frame": lambda link, n: link.socket.sendall(frames.HEADER.pack((1 << 32) - 1, 34, 0, n) + bytes(1000)),
    "tiny frame": lambda link, n: link.socket.sendall(frames.HEADER.pack(3, 34, 0, n)),
    **{f"garbage {seed}": lambda link, n, seed=seed: garbage(link, n, seed) for seed in range(10)},
}

@modelmill.model(outputs={"y": modelmill.Tensor[np.float32, -1], "s": list[str]})
def hostile(x: modelmill.Tensor[np.float32, -1], way: str):
    if way == "honest":
        return {"y": x, "s": ["a"]}
    batch = next(f.frame.f_locals["batch"] for f in inspect.stack() if "batch" in f.frame.f_locals)
    WAYS[way](batch._link, batch.number)
    import time
    time.sleep(20)
"""
WAYS = [
    "far", "beyond", "overflow", "long", "negative", "many", "rank", "dtype", "other type", "unaligned", "no region",
    "server memory", "index", "request", "twice", "execution", "block", "small block", "short", "text", "descending",
    "past the end", "no table", "unsealed", "smaller", "a file", "too much", "no fd", "fds", "huge frame", "tiny frame",
    *(f"garbage {seed}" for seed in range(10)),
]  # fmt: skip


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hostile")
    path = python_workers.write(folder, "hostile", HOSTILE)
    with servers.serving(folder, path, env={"HOSTILE_FILE": str(folder / "file")}) as server:
        server.descriptors = len(os.listdir(f"/proc/{server.process.pid}/fd"))
        yield server


@pytest.mark.parametrize("way", WAYS)
def test_a_hostile_worker(server, way):
    (worker,) = python_workers.wait_for(server, 1)
    status, body = ask(server, "hostile", x=[1.0], way=way)
    # Of two answers the first one counts.
    assert (status, body["error"]) == (400, "no") if way == "twice" else status in (500, 503), (status, body)
    if status == 503:
        assert "broke the protocol" in body["error"] or "JSON" in body["error"], body
    wait_answer(server, "hostile", {"y": [1.0], "s": ["a"]}, x=[1.0], way="honest")
    servers.wait_until(lambda: not python_workers.is_alive(worker), "the worker was killed")


def test_nothing_is_left_of_them(server):
    wait_answer(server, "hostile", {"y": [1.0], "s": ["a"]}, x=[1.0], way="honest")
    folder = pathlib.Path(f"/proc/{server.process.pid}/fd")
    servers.wait_until(lambda: len(list(folder.iterdir())) <= server.descriptors + 8, "descriptors are closed")


def test_memory_that_changes_while_it_is_read(serve, tmp_path):
    """A thread of the worker writes over everything that it shares: answers are garbage or refused, the server lives."""
    path = python_workers.write(
        tmp_path,
        "scribble",
        """
        import threading

        def scribble(memory):
            chance = np.random.default_rng(1)
            while True:
                for region in memory._regions:
                    into = np.frombuffer(region.bytes, np.uint8)
                    into[: 1 << 16] = chance.integers(0, 256, 1 << 16)

        def begin():
            import inspect

            batch = next(f.frame.f_locals["batch"] for f in inspect.stack() if "batch" in f.frame.f_locals)
            threading.Thread(target=scribble, args=(batch._link.memory,), daemon=True).start()

        started = []

        @modelmill.model(batch=8, outputs={"s": str, "y": modelmill.Tensor[np.float32, 600]})
        def scribble_model(text: str):
            if not started:
                started.append(begin())
            return {"s": [one * 50 for one in text], "y": np.ones((len(text), 600), np.float32)}
        """,
    )
    server = serve(path)
    outcomes = set()
    for _ in range(150):
        status, _, _ = server.request("POST", "/predict/scribble", b'{"text": ["a", "bcd"]}', timeout=60)
        outcomes.add(status)
    assert outcomes <= {200, 500, 503}, outcomes
    # A worker that had to be replaced after the last answer is one that there is not for a moment.
    servers.wait_until(server.is_ready, "the last worker is there again")
    server.assert_alive()
    server.stop()
