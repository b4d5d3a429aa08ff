"""Models written for Triton's Python backend, asked by Triton's own clients."""

import concurrent.futures
import contextlib
import json
import queue
import re
import subprocess
import sys
import tarfile

import ml_dtypes
import numpy as np
import pytest
import tritonclient.grpc
from tritonclient.utils import InferenceServerException

import clients
import servers
import triton_models  # noqa: F401
import triton_repository
import triton_streams  # noqa: F401
from servers import wait_until
from test_observability import of, scrape
from test_python_faults import ask

ROW = np.array([1, 2, 3, 4], np.float32)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("python_triton")
    with servers.serving(folder, triton_repository.write(folder / "models")) as server:
        yield server
    assert "cleaning up" in server.log()


@pytest.fixture(params=["http", "grpc"])
def client(request, server):
    client = clients.Client(request.param, server.address)
    yield client
    client.close()


def text(*words):
    return np.array([word.encode() for word in words], object)


@contextlib.contextmanager
def streaming(server):
    """(client, queue of (result, error)) of one stream over gRPC."""
    answers = queue.Queue()
    with tritonclient.grpc.InferenceServerClient(server.address) as client:
        client.start_stream(lambda result, error: answers.put((result, error)))
        yield client, answers
        client.stop_stream()


def count_input(count):
    return [tritonclient.grpc.InferInput("count", [1], "INT32").set_data_from_numpy(np.array([count], np.int32))]


def numbers_of(answers, count=1):
    """{request id: numbers} of what `count` requests with enable_empty_final_response answer."""
    out = {}
    while count > 0:
        result, error = answers.get(timeout=60)
        assert error is None, error
        response = result.get_response()
        out.setdefault(response.id, [])
        if response.outputs:
            out[response.id].append(int(result.as_numpy("number")[0]))
        count -= response.parameters["triton_final_response"].bool_param
    return out


def test_add_sub(client):
    left, right = np.arange(8, dtype=np.float32).reshape(2, 4), np.full((2, 4), 2, np.float32)
    result = client.infer("add_sub", {"INPUT0": left, "INPUT1": right})
    assert (result.as_numpy("OUTPUT0") == left + right).all() and result.as_numpy("OUTPUT0").dtype == np.float32
    assert (result.as_numpy("OUTPUT1") == left - right).all() and result.as_numpy("OUTPUT1").dtype == np.int32
    result = client.infer("add_sub", {"INPUT0": left, "INPUT1": right}, outputs=[client.output("OUTPUT1")])
    assert result.as_numpy("OUTPUT0") is None and result.as_numpy("OUTPUT1") is not None


def test_requests_of_a_batch_are_apart(server):
    """Many clients with different numbers of rows: each has its own rows back."""

    def work(number):
        client = clients.Client("grpc", server.address)
        for turn in range(10):
            x = np.full((1 + (number + turn) % 3, 4), 100 * number + turn, np.float32)
            assert (client.infer("identity", {"x": x}).as_numpy("y") == x).all()
        client.close()

    with concurrent.futures.ThreadPoolExecutor(32) as pool:
        list(pool.map(work, range(32)))
    stats = server.stats("identity")
    assert stats["inference_count"] > stats["execution_count"], "nothing ran together"


def test_strings(client):
    words = np.array([[b"a", "größe".encode()], [b"", b"x" * 100]], object)
    answer = client.infer("strings", {"text": words}).as_numpy("loud")
    assert [bytes(word) for word in answer.ravel()] == [b"A", "GRÖSSE".encode(), b"", b"X" * 100]


def test_bf16_goes_through_dlpack(client):
    x = np.array([1.5, -2, 3e38], ml_dtypes.bfloat16)
    answer = client.infer("bf16", {"x": (x, "BF16")})
    assert answer.as_numpy("y").astype(np.float32).tolist() == x.astype(np.float32).tolist()
    assert answer.as_numpy("z").tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    ("word", "code"),
    [
        ("INVALID_ARG", "INVALID_ARGUMENT"), ("NOT_FOUND", "NOT_FOUND"), ("UNAVAILABLE", "UNAVAILABLE"),
        ("INTERNAL", "INTERNAL"), ("UNKNOWN", "UNKNOWN"), ("UNSUPPORTED", "UNIMPLEMENTED"), ("CANCELLED", "CANCELLED"),
        ("plain", "INTERNAL"),
    ],
)  # fmt: skip
def test_codes_of_errors(server, word, code):
    client = clients.Client("grpc", server.address)
    with pytest.raises(InferenceServerException) as error:
        client.infer("faulty", {"what": text(word).reshape(1, 1)})
    assert error.value.status() == f"StatusCode.{code}"
    assert error.value.message() == ("only a text" if word == "plain" else f"it is {word}")
    client.close()


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("raise", "ValueError: raised as asked"),
        ("nothing", "execute returns a list"),
        ("few", "execute returned 0 responses for 1 requests"),
        ("number", "execute returned a int"),
        ("none", "without a response sender"),
        ("type", "'size' is of the type FP32, but the configuration says INT32"),
    ],
)
def test_what_execute_does_wrong(server, client, word, said):
    with pytest.raises(InferenceServerException) as error:
        client.infer("faulty", {"what": text(word).reshape(1, 1)})
    clients.assert_error(error, "INTERNAL", said)
    assert client.infer("faulty", {"what": text("fine").reshape(1, 1)}).as_numpy("size") >= 1


def test_an_output_that_nobody_knows_is_left_out(server, client):
    assert client.infer("faulty", {"what": text("more").reshape(1, 1)}).as_numpy("unheard") is None
    wait_until(lambda: "output 'unheard' is not one of the configuration's" in server.log(), "the log says so")


def test_errors_are_of_their_requests(server):
    """Of eight that run as one batch, or as a few, half fail."""

    def work(number):
        client = clients.Client("http", server.address)
        try:
            what = text(["fine", "NOT_FOUND"][number % 2]).reshape(1, 1)
            return client.infer("faulty", {"what": what}).as_numpy("size").item()
        except InferenceServerException as error:
            return error.message()
        finally:
            client.close()

    def a_batch_was_of_several():
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(work, range(8)))
        assert answers[1::2] == ["it is NOT_FOUND"] * 4
        return max(answers[::2]) > 1

    wait_until(a_batch_was_of_several, "one that is answered ran with another")


def test_auto_complete_config(server, client):
    config = client.json("get_model_config", "completed")
    config = config.get("config", config)
    assert config["max_batch_size"] == 4 and [i["name"] for i in config["input"]] == ["x", "scale"]
    x = np.array([[1, 2, 3], [4, 5, 6]], np.float32)
    assert (client.infer("completed", {"x": x}).as_numpy("y") == 2 * x).all()
    scale = np.array([[3], [4]], np.float32)
    assert (client.infer("completed", {"x": x, "scale": scale}).as_numpy("y") == scale * x).all()


def test_auto_complete_config_of_a_decoupled_model(server):
    config = server.get_json("/v2/models/completed_decoupled/config")
    assert config["model_transaction_policy"] == {"decoupled": True} and config["max_batch_size"] == 0
    body = {"x": [1, 2, 3, 4]}
    status, events, _ = server.request("POST", "/v2/models/completed_decoupled/generate_stream", json.dumps(body).encode())
    assert status == 200 and events.count(b'"y":[1.0,2.0,3.0,4.0]') == 3, events


@pytest.mark.parametrize("model", ["repeat", "repeat_async"])
def test_decoupled(server, model):
    """Answers from a thread after execute() has returned, and from a coroutine; 40 requests at once."""
    with streaming(server) as (client, answers):
        counts = {str(number): number % 7 for number in range(40)}
        for name, count in counts.items():
            client.async_stream_infer(model, count_input(count), request_id=name, enable_empty_final_response=True)
        assert numbers_of(answers, 40) == {name: list(range(count)) for name, count in counts.items()}
    if model == "repeat_async":
        several = re.compile("repeat_async: ([2-9]|[1-9][0-9]+) under way")
        wait_until(lambda: several.search(server.log()), "several are under way at once")
    else:
        wait_until(lambda: "refused: the response sender is closed" in server.log(), "the second end is refused")


def test_many_answers(server):
    for model in ("repeat", "repeat_inside", "repeat_async"):
        with streaming(server) as (client, answers):
            client.async_stream_infer(model, count_input(3000), request_id="a", enable_empty_final_response=True)
            assert numbers_of(answers) == {"a": list(range(3000))}


def test_an_error_ends_a_stream(server):
    with streaming(server) as (client, answers):
        client.async_stream_infer("repeat_async", count_input(-4))
        _, error = answers.get(timeout=60)
        assert "-4 is below 0" in error.message()
    with streaming(server) as (client, answers):
        client.async_stream_infer("repeat_inside", count_input(0))
        _, error = answers.get(timeout=60)
        assert "let go of this request without its last response" in error.message()


def test_a_worker_that_dies_amid_its_answers(server):
    for _ in range(3):
        with streaming(server) as (client, answers):
            client.async_stream_infer("mortal", count_input(-1))
            errors = [answers.get(timeout=60)[1] for _ in range(4)]
            assert errors[:3] == [None] * 3 and "was killed by signal 9" in errors[3].message()
        wait_until(lambda: server.get("/v2/models/mortal/ready")[0] == 200, "it is back")
        with streaming(server) as (client, answers):
            client.async_stream_infer("mortal", count_input(0), request_id="a", enable_empty_final_response=True)
            assert numbers_of(answers) == {"a": [0, 1, 2]}


def test_a_sender_of_a_model_that_is_not_decoupled(server, client):
    for _ in range(3):
        assert (client.infer("late", {"x": ROW}).as_numpy("y") == ROW + 1).all()
    wait_until(lambda: "refused: a model that is not decoupled" in server.log(), "the second answer is refused")


@pytest.mark.parametrize("model", ["bls", "bls_async"])
def test_calls_of_other_models(server, client, model):
    x = ROW[None]
    expected = 3 * x if model == "bls" else 10 * x + 45
    assert (client.infer(model, {"x": x, "model": text("add_sub")}).as_numpy("sum") == expected).all()


def test_calls_that_fail(server, client):
    for name, code, said in [
        ("nobody", "NOT_FOUND", "nobody"),
        ("identity", "INVALID_ARGUMENT", "INPUT0"),
    ]:
        with pytest.raises(InferenceServerException) as error:
            client.infer("bls", {"x": ROW[None], "model": text(name)})
        clients.assert_error(error, code, "inside: ", said)


@pytest.mark.parametrize("inner", ["repeat", "repeat_inside", "repeat_async"])
def test_calls_of_a_decoupled_model(server, client, inner):
    inputs = {"count": np.array([20], np.int32), "model": text(inner)}
    assert client.infer("bls_decoupled", inputs).as_numpy("numbers").tolist() == list(range(20))
    inputs["model"] = text("nobody")
    with pytest.raises(InferenceServerException) as error:
        client.infer("bls_decoupled", inputs)
    clients.assert_error(error, "INTERNAL", "TritonModelException", "nobody")


def test_what_a_model_is_told(client, server):
    parameters = {"top": 5, "who": "me", "sure": True}
    result = client.infer(
        "about", {"x": ROW[None]}, outputs=[client.output("told")], request_id="the id", parameters=parameters,
        sequence_id=42, sequence_start=True, sequence_end=True,
    )  # fmt: skip
    told = json.loads(result.as_numpy("told").item())
    args = told.pop("args")
    config = json.loads(args.pop("model_config"))
    assert config["max_batch_size"] == 4 and config["backend"] == "python" and config["name"] == "about"
    assert config["parameters"]["colour"] == {"string_value": "red"}
    repository = args.pop("model_repository")
    assert repository.endswith("/models/about") and told.pop("dir") == repository + "/1"
    assert args.pop("model_instance_name") in ("workers_0", "workers_1")
    assert args == {
        "model_instance_kind": "CPU", "model_instance_device_id": "0", "model_version": "1", "model_name": "about",
    }  # fmt: skip
    assert told == {
        "word": "from beside", "id": "the id", "correlation": 42, "flags": 3, "outputs": ["told"],
        "parameters": parameters, "cancelled": False, "cpu": True, "shape": [1, 4],
    }  # fmt: skip
    assert json.loads(client.infer("about", {"x": ROW[None]}).as_numpy("told").item())["outputs"] == ["told", "other"]
    wait_until(lambda: "a warning of the model's" in server.log() and "an error of the model's" in server.log(), "the log")


def test_parameters_of_an_answer(server):
    body = {"inputs": [{"name": "x", "shape": [1, 4], "datatype": "FP32", "data": ROW.tolist()}]}
    _, reply = server.post_json("/v2/models/about/infer", body)
    assert reply["parameters"] == {"text": "a", "number": 7, "yes": True, "half": 0.5}


def test_metrics(server, client):
    before = of(scrape(server), "requests_seen_total", model="metrics", kind="any")
    values = client.infer("metrics", {"x": ROW}).as_numpy("y")
    wait_until(lambda: of(scrape(server), "requests_seen_total", kind="any") == before + 1, "it is counted")
    samples = scrape(server)
    assert values.tolist() == [before + 1, 7, 0, 0]
    assert of(samples, "level", model="metrics", exported_model="another") == 7
    assert of(samples, "sizes_bucket", model="metrics", le="1") == 0
    assert of(samples, "sizes_bucket", model="metrics", le="10") == of(samples, "sizes_count") == before + 1


@pytest.mark.parametrize("model", ["patient", "patient_plain"])
def test_cancellation(server, model):
    seen, began = (server.log().count(f"{model} {what}") for what in ("saw the cancellation", "began"))
    with tritonclient.grpc.InferenceServerClient(server.address) as client:
        x = tritonclient.grpc.InferInput("x", [4], "FP32").set_data_from_numpy(ROW)
        if model == "patient":
            client.start_stream(lambda result, error: None)
            client.async_stream_infer(model, [x])
        else:
            call = client.async_infer(model, [x], callback=lambda result, error: None)
        wait_until(lambda: server.log().count(f"{model} began") > began, "the model has it")
        if model == "patient":
            client.stop_stream(cancel_requests=True)
        else:
            call.cancel()
        wait_until(lambda: server.log().count(f"{model} saw the cancellation") > seen, "the model sees it")


@pytest.mark.parametrize(
    ("code", "config", "said"),
    [
        ("class TritonPythonModel:\n  def initialize(self, args):\n    raise ValueError('bad weights')\n  def execute(self, r): pass",
         triton_repository.FP32_4, "ValueError: bad weights"),
        ("class TritonPythonModel:\n  def initialize(self, args):\n    raise pb_utils.TritonModelException('no')\n"
         "  def execute(self, r): pass", triton_repository.FP32_4, "TritonModelException: no"),
        ("class TritonPythonModel:\n  pass", triton_repository.FP32_4, "no method execute"),
        ("class TritonPythonModel:\n  def execute(self, r): pass", "", "auto_complete_config"),
        ("import nowhere\nclass TritonPythonModel:\n  def execute(self, r): pass", triton_repository.FP32_4, "'nowhere'"),
        ("class TritonPythonModel:\n  @staticmethod\n  def auto_complete_config(c):\n"
         "    c.add_input({'name': 'x', 'data_type': 'TYPE_FP16', 'dims': [4]})\n    return c\n  def execute(self, r): pass",
         triton_repository.FP32_4, "TYPE_FP16 in auto_complete_config"),
        ("class TritonPythonModel:\n  @staticmethod\n  def auto_complete_config(c):\n    return None\n"
         "  def execute(self, r): pass", triton_repository.FP32_4, "must return the configuration"),
    ],
)  # fmt: skip
def test_models_that_can_not_be_loaded(tmp_path, code, config, said):
    triton_repository.add(tmp_path / "models", "wrong", config, code)
    result = servers.run_cli("serve", tmp_path / "models", "--port", 0)
    assert result.returncode != 0 and said in result.stderr and "'wrong'" in result.stderr, result.stderr


def test_one_file(serve, tmp_path):
    """A model.py alone, which completes its configuration itself."""
    folder = triton_repository.add(tmp_path, "any", None, triton_repository.MODELS["completed"][1])
    server = serve(f"alone={folder / '1/model.py'}")
    assert ask(server, "alone", x=[[1.0, 2.0]]) == (200, {"y": [[2.0, 4.0]]})
    assert re.search(r"^  alone  version 1  \(python\)", server.stdout(), re.MULTILINE)
    server.stop()


def packed_environment(folder):
    """A virtual environment with a module of its own, which finds numpy in the tests' one."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder / "env"], check=True)
    (packages,) = (folder / "env/lib").glob("python3*/site-packages")
    (packages / "more.pth").write_text(np.__path__[0].removesuffix("/numpy") + "\n")
    (packages / "only_there.py").write_text("VALUE = 41\n")
    with tarfile.open(folder / "env.tar.gz", "w:gz") as archive:
        archive.add(folder / "env", ".")
    return folder / "env.tar.gz"


def test_an_environment_of_the_models_own(serve, tmp_path):
    code = """
    import only_there
    class TritonPythonModel:
        def execute(self, requests):
            return [pb_utils.InferenceResponse([pb_utils.Tensor("y", r.inputs()[0].as_numpy() + only_there.VALUE)])
                    for r in requests]
    """
    parameter = 'parameters { key: "EXECUTION_ENV_PATH" value { string_value: "%s" } }'
    models = tmp_path / "models"
    folder = triton_repository.add(models, "packed", triton_repository.FP32_4 + parameter % "$$TRITON_MODEL_DIRECTORY/env.tar.gz", code)
    archive = packed_environment(tmp_path)
    archive.rename(folder / "env.tar.gz")
    triton_repository.add(models, "unpacked", triton_repository.FP32_4 + parameter % (tmp_path / "env"), code)
    server = serve(models, env={"XDG_CACHE_HOME": str(tmp_path / "cache")})
    for name in ("packed", "unpacked"):
        assert ask(server, name, x=[1.0, 2.0, 3.0, 4.0]) == (200, {"y": [42.0, 43.0, 44.0, 45.0]})
    server.stop()


@pytest.mark.parametrize(("path", "said"), [("env.tar.gz", "must be a whole path"), ("/none.tar.gz", "neither a folder nor")])
def test_an_environment_that_there_is_not(tmp_path, path, said):
    parameter = f'parameters {{ key: "EXECUTION_ENV_PATH" value {{ string_value: "{path}" }} }}'
    triton_repository.add(tmp_path / "models", "wrong", triton_repository.FP32_4 + parameter, "class TritonPythonModel:\n  pass")
    result = servers.run_cli("serve", tmp_path / "models", "--port", 0)
    assert result.returncode != 0 and said in result.stderr, result.stderr
