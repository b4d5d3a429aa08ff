"""Python models beyond the examples: types, sizes, batches, streams, calls, packages, and whose code is run."""

import base64
import concurrent.futures
import json
import zipfile

import ml_dtypes
import numpy as np
import pytest

import clients
import models
import python_workers
import servers
from clients import Client, InferenceServerException
from servers import run_cli
from test_python_faults import ask

NUMPY_TYPES = {dtype: numpy_type for dtype, (_, numpy_type) in models.DTYPES.items()}
SIZES = ((1,), (3,), (0,), (70_000,))


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("python_models")
    for dtype in NUMPY_TYPES:
        name = dtype.lower()
        python_workers.write(
            folder,
            f"same_{name}",
            f"""
            @modelmill.model
            def same_{name}(x: modelmill.Tensor["{dtype}", -1]) -> modelmill.Tensor["{dtype}", -1]:
                return x
            """,
        )
    python_workers.write(
        folder,
        "rows",
        """
        calls = []

        @modelmill.model(batch=64, outputs={"twice": modelmill.Tensor[np.float32, -1], "words": str, "rows": int})
        def rows(x: modelmill.Tensor[np.float32, -1], words: list[str]):
            return {"twice": x * 2, "words": [word.upper() for word in words], "rows": [len(words)] * len(words)}
        """,
    )
    python_workers.write(
        folder,
        "sleeper",
        """
        import asyncio

        @modelmill.model
        async def sleeper(seconds: float, fails: bool = False) -> int:
            await asyncio.sleep(seconds)
            if fails:
                raise modelmill.Error("as it was asked to", code="FAILED_PRECONDITION")
            return 1
        """,
    )
    python_workers.write(
        folder,
        "meeting",
        """
        import asyncio

        present = []

        @modelmill.model
        async def meeting(guest: int, guests: int) -> int:
            present.append(guest)
            while len(present) < guests:
                await asyncio.sleep(0.01)
            return guest
        """,
    )
    python_workers.write(
        folder,
        "counter",
        """
        import asyncio
        from collections.abc import AsyncIterator

        made = []

        @modelmill.model
        async def counter(last: int, size: int = 1) -> AsyncIterator[modelmill.Tensor[np.int64, -1]]:
            for number in range(last):
                made.append(number)
                yield np.full(size, number)
        """,
    )
    python_workers.write(
        folder,
        "keeper",
        """
        kept = []

        @modelmill.model
        def keeper(x: modelmill.Tensor[np.float32, 1000], check: bool = False) -> bool:
            if check:
                return all((array == array[0]).all() and array[0] == number for number, array in enumerate(kept))
            kept.append(x)
            return True
        """,
    )
    python_workers.write(
        folder,
        "caller",
        """
        @modelmill.model
        def caller(x: modelmill.Tensor[np.float32, -1], name: str) -> modelmill.Tensor[np.float32, -1]:
            futures = [modelmill.submit(name, x=x + number) for number in range(20)]
            return sum(future.result()["output"] for future in futures)
        """,
    )
    with servers.serving(folder, folder) as server:
        yield server


def bitwise_same(left, right):
    if left.dtype == object:
        return [bytes(value) for value in left.ravel()] == [bytes(value) for value in right.ravel()]
    return left.dtype == right.dtype and left.shape == right.shape and left.tobytes() == right.tobytes()


@pytest.mark.parametrize("client_kind", ["http", "grpc"])
@pytest.mark.parametrize("dtype", NUMPY_TYPES)
def test_a_type_comes_back_bit_by_bit(server, dtype, client_kind):
    client = Client(client_kind, server.address)
    for seed, shape in enumerate(SIZES):
        empty = 0 in shape
        array = np.zeros(shape, NUMPY_TYPES[dtype]) if empty else clients.random_array(dtype, NUMPY_TYPES[dtype], shape, seed)
        answer = client.infer(f"same_{dtype.lower()}", {"x": array}).as_numpy("output")
        assert bitwise_same(answer.astype(array.dtype) if dtype == "BYTES" else answer, array), (shape, answer)
    client.close()


def test_batches_of_64_clients(server):
    """Rows come back to their requests, whatever ran together, and things did."""

    def work(number):
        client = Client("grpc", server.address)
        seen = 0
        for turn in range(6):
            count = 1 + (number + turn) % 3
            x = np.full((count, 300), number * 100 + turn, np.float32)
            words = np.array([f"w{number}-{turn}-{row}".encode() for row in range(count)], object)
            answer = client.infer("rows", {"x": x, "words": words})
            assert (answer.as_numpy("twice") == 2 * x).all()
            assert [bytes(word) for word in answer.as_numpy("words").ravel()] == [bytes(word).upper() for word in words]
            seen = max(seen, int(answer.as_numpy("rows").max()))
        client.close()
        return seen

    with concurrent.futures.ThreadPoolExecutor(64) as pool:
        servers.wait_until(lambda: max(pool.map(work, range(64))) > 3, "some run together")


def test_async_requests_run_at_once(server):
    """Each of thirty waits until all of them are there."""
    with concurrent.futures.ThreadPoolExecutor(30) as pool:
        answers = list(pool.map(lambda guest: ask(server, "meeting", guest=guest, guests=30), range(30)))
    assert answers == [(200, {"output": guest}) for guest in range(30)]
    status, body = ask(server, "sleeper", seconds=0.0, fails=True)
    assert status == 400 and body["error"] == "as it was asked to"


def stream(server, model, inputs):
    status, body, _ = server.request("POST", f"/v2/models/{model}/generate_stream", json.dumps(inputs).encode())
    assert status == 200, body
    return [json.loads(line[5:]) for line in body.decode().split("\n") if line.startswith("data:")]


def test_many_answers_of_async_code(server):
    events = stream(server, "counter", {"last": 200})
    assert [event["output"] for event in events if "output" in event] == list(range(200))


def test_a_slow_reader_holds_up_nobody(server):
    """One client doesn't read a stream of 200 MB; others of the same worker are answered meanwhile."""
    slow = server.connect()
    body = json.dumps({"last": 2000, "size": 100_000}).encode()
    slow.sendall(servers.posted("/v2/models/counter/generate_stream", body))
    assert slow.recv(100)
    for _ in range(5):
        assert len(stream(server, "counter", {"last": 50})) >= 50
    slow.close()


def test_an_input_that_is_kept_stays_what_it_was(server):
    for number in range(100):
        assert ask(server, "keeper", x=[float(number)] * 1000) == (200, {"output": True})
    assert ask(server, "keeper", x=[0.0] * 1000, check=True) == (200, {"output": True})


def test_calls_of_other_models(server):
    assert ask(server, "caller", x=[1.0, 2.0], name="same_fp32") == (200, {"output": [210.0, 230.0]})
    status, body = ask(server, "caller", x=[1.0], name="nobody")
    assert status in (400, 404) and "nobody" in body["error"], body
    status, body = ask(server, "caller", x=[1.0], name="same_int8")
    assert status == 400 and "INT8" in body["error"], body


def test_outputs_that_do_not_fit(serve, tmp_path):
    """An answer larger than the shared memory is refused with the parameter's name; the next one is fine."""
    path = python_workers.write(
        tmp_path,
        "large",
        """
        @modelmill.model
        def large(count: int) -> modelmill.Tensor[np.uint8, -1]:
            return np.zeros(count, np.uint8)
        """,
    )
    server = serve(python_workers.yaml(tmp_path, ("large", path, {"shared_memory_mb": 4})))
    client = Client("http", server.address)
    with pytest.raises(InferenceServerException) as error:
        client.infer("large", {"count": np.array(5 << 20)})
    assert "shared_memory_mb" in error.value.message()
    for _ in range(20):
        assert client.infer("large", {"count": np.array(3 << 20)}).as_numpy("output").size == 3 << 20
    client.close()
    server.stop()


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("@modelmill.model\ndef f(x) -> int:\n  return 1", "argument 'x' has no annotation"),
        ("@modelmill.model\ndef f(x: np.ndarray) -> int:\n  return 1", "Tensor[np.float32, -1]"),
        ("@modelmill.model\ndef f(x: int):\n  return 1", "what it returns has no annotation"),
        ("@modelmill.model\nclass F:\n  pass", "no method predict"),
        ("@modelmill.model\ndef f(x: int) -> int:\n  return 1\n@modelmill.model\ndef g(x: int) -> int:\n  return 1", "'object'"),
        ("import nowhere\n@modelmill.model\ndef f(x: int) -> int:\n  return 1", "No module named 'nowhere'"),
        ("@modelmill.model\ndef f(x: int) -> int:\n  return (", "SyntaxError"),
    ],
)
def test_what_is_wrong_with_a_file_is_told(tmp_path, code, words):
    path = python_workers.write(tmp_path, "wrong", code)
    result = run_cli("serve", path, "--port", 0)
    assert result.returncode == 1
    assert words in result.stderr and "model 'wrong'" in result.stderr, result.stderr


def test_bf16_without_ml_dtypes(serve, tmp_path):
    """Arrays are the numbers' bits; floats that are returned are rounded."""
    folder = tmp_path / "models"
    python_workers.write(
        folder,
        "bits",
        """
        import importlib.util
        assert importlib.util.find_spec("ml_dtypes") is None
        BF16 = modelmill.Tensor["BF16", 4]

        @modelmill.model(outputs={"same": BF16, "rounded": BF16, "high": modelmill.Tensor[np.uint16, 4]})
        def bits(x: BF16):
            return {"same": x, "rounded": np.float32([1.00390625, 1.01171875, -np.inf, np.nan]), "high": x}
        """,
    )
    python_workers.write(
        folder,
        "rows",
        """
        @modelmill.model(batch=8)
        def rows(x: modelmill.Tensor["BF16", 4]) -> modelmill.Tensor["BF16", 4]:
            return x
        """,
    )
    server = serve(folder, "--python", servers.ROOT / "build/venvs/python")
    client = Client("grpc", server.address)
    x = np.array([1.5, -2, 3e38, 0], ml_dtypes.bfloat16)
    for name in ("bits", "rows"):
        shape = (4,) if name == "bits" else (2, 4)
        sent = np.resize(x, shape)
        answer = client.infer(name, {"x": (sent, "BF16")})
        output = "same" if name == "bits" else "output"
        assert answer.as_numpy(output).astype(np.float32).tolist() == sent.astype(np.float32).tolist()
    answer = client.infer("bits", {"x": (x, "BF16")})
    expected = np.float32([1.00390625, 1.01171875, -np.inf, np.nan]).astype(ml_dtypes.bfloat16).astype(np.float32)
    np.testing.assert_array_equal(answer.as_numpy("rounded").astype(np.float32), expected)
    assert answer.as_numpy("high").tolist() == x.view(np.uint16).tolist()
    client.close()
    assert "broke the protocol" not in server.log()


def test_a_file_that_marks_nothing(tmp_path):
    path = python_workers.write(tmp_path, "nothing", "def f(x: int) -> int:\n  return 1")
    result = run_cli("serve", path, "--port", 0)
    assert result.returncode != 0 and "@modelmill.model" in result.stderr


def test_requirements_from_a_folder_of_wheels(serve, tmp_path):
    """They are in an environment of the model's own; pip's complaint is the model's error."""
    folder = tmp_path / "model"
    (folder / "wheels").mkdir(parents=True)
    with zipfile.ZipFile(folder / "wheels/seven-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("seven.py", "VALUE = 7\n")
        wheel.writestr("seven-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: seven\nVersion: 1.0\n")
        wheel.writestr("seven-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr("seven-1.0.dist-info/RECORD", "seven.py,,\n")
    code = "import seven\n@modelmill.model\ndef needs(x: int) -> int:\n    return x * seven.VALUE\n"
    path = python_workers.write(folder, "needs", code)
    (folder / "requirements.txt").write_text("seven==1.0\n")
    env = {"XDG_CACHE_HOME": str(tmp_path / "cache")}
    server = serve(path, env=env)
    assert ask(server, "needs", x=6) == (200, {"output": 42})
    server.stop()
    (folder / "requirements.txt").write_text("eight==1.0\n")
    result = run_cli("serve", path, "--port", 0, env=env)
    assert result.returncode == 1 and "pip can't install" in result.stderr and "eight" in result.stderr


def test_code_that_a_client_sends_is_refused(serve, tmp_path):
    path = python_workers.write(tmp_path, "mine", "@modelmill.model\ndef mine(x: int) -> int:\n  return x")
    config = {"name": "sent", "backend": "python"}
    body = {"parameters": {"config": json.dumps(config), "file:1/model.py": base64.b64encode(path.read_bytes()).decode()}}
    arguments = (path, "--model-control-mode", "explicit", "--load-model", "mine")
    server = serve(*arguments)
    status, reply, _ = server.request("POST", "/v2/repository/models/sent/load", json.dumps(body).encode())
    assert status == 400 and b"--allow-model-code sent" in reply, reply
    server.stop()
    server = serve(*arguments, "--allow-model-code", "sent")
    status, reply, _ = server.request("POST", "/v2/repository/models/sent/load", json.dumps(body).encode())
    assert status == 200, reply
    assert ask(server, "sent", x=3) == (200, {"output": 3})
    server.stop()


def test_doctor_shows_the_interpreter():
    report = json.loads(run_cli("doctor", "--json").stdout)
    (backend,) = [backend for backend in report["backends"] if backend["name"] == "python"]
    assert backend["available"] and backend["runtime_path"].startswith(str(servers.ROOT / "build/venv")), backend


def test_a_python_that_there_is_not(tmp_path):
    path = python_workers.write(tmp_path, "mine", "@modelmill.model\ndef mine(x: int) -> int:\n  return x")
    result = run_cli("serve", path, "--port", 0, "--python", tmp_path / "none")
    assert result.returncode == 1 and "--python" in result.stderr and "none" in result.stderr
