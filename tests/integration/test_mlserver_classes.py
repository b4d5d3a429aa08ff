"""Classes derived from MLServer's MLModel: with its own package where that is installed, else with ours, and the answers of
MLServer itself."""

import concurrent.futures
import json
import subprocess
import urllib.error
import urllib.request

import grpc
import numpy as np
import pytest
import tritonclient.grpc as triton_grpc
import tritonclient.http as triton_http
from tritonclient.grpc import service_pb2, service_pb2_grpc
from tritonclient.utils import InferenceServerException

import mlserver_models
import python_workers
import servers
import triton_repository
from mlserver_models import OWN, THEIRS, column
from free_ports import free_ports
from servers import run_cli

X = [[1.0, 2.0], [3.0, 4.5]]
TABLE = [column("a", [1, 2], "INT64"), column("b", [0.5, 1.5], "FP64"), column("name", ["x", "y"], "BYTES", "str")]
MOMENT = "2024-02-03T04:05:06"
BROKEN = """
class TritonPythonModel:
    def execute(self, requests):
        raise RuntimeError("broken")
"""

# (model, request): each is answered as MLServer answers it.
REQUESTS = [
    ("scaled", {"inputs": [column("payload", [1, 2, 3, 4.5], "FP32", shape=[2, 2])]}),
    ("scaled", {"id": "7", "inputs": [column("payload", X, "FP64", "np", [2, 2])], "parameters": {"content_type": "np"}}),
    ("scaled", {"inputs": [column("payload", [1, 2], "INT32")]}),
    ("scaled", {"inputs": [column("other", [1.0], "FP32")]}),
    ("words", {"inputs": [column("questions", ["a", "é"], "BYTES", "str"), column("numbers", [1, 2], "INT32")]}),
    ("words", {"inputs": [column("numbers", [2], "INT32"), column("questions", ["b"], "BYTES", shape=[1, 1])]}),
    ("words", {"inputs": [column("questions", ["a"], "BYTES", shape=[11]), column("numbers", [1], "INT8")]}),
    ("table", {"inputs": TABLE}),
    ("table", {"parameters": {"content_type": "pd"}, "inputs": TABLE}),
    ("echo", {"id": "e", "inputs": [column("q", ["text"], "BYTES"), column("n", [1, 2], "UINT8", "np", [2, 1])]}),
    (
        "echo",
        {
            "parameters": {"plain": 1, "nested": {"a": [1, {"b": None}]}},
            "inputs": [{**column("q", ["text"], "BYTES", "str"), "parameters": {"content_type": "str", "more": [1]}}],
            "outputs": [{"name": "half", "parameters": {"content_type": "np"}}, {"name": "nobody"}],
            "id": "f",
        },
    ),
    ("codecs", {"inputs": [column("t", [MOMENT], "BYTES", "datetime"), column("b", ["aGVsbG8="], "BYTES", "base64")]}),
    ("codecs", {"inputs": [column("s", ["one", "two"], "BYTES", "str"), column("n", [0.5], "FP16", "np")]}),
    ("whole", {"inputs": [column("any", [1, 2, 3], "FP64")]}),
    ("whole", {"parameters": {"content_type": "pd"}, "inputs": TABLE}),
    ("whole", {"parameters": {"content_type": "str"}, "inputs": [column("s", ["one", "two"], "BYTES")]}),
    ("whole", {"inputs": [column("a", [1], "FP64"), column("b", [1], "FP64")]}),
    ("refuses", {"inputs": [column("how", ["inference"], "BYTES")]}),
    ("refuses", {"inputs": [column("how", ["422"], "BYTES")]}),
    ("refuses", {"inputs": [column("how", ["418"], "BYTES")]}),
    ("tokens", {"inputs": [column("text", ["a b"], "BYTES")]}),
    ("declared", {"inputs": [column("x", [1, 2], "FP32", shape=[1, 2])]}),
]


def ask(url, model, body, path="infer"):
    headers = {"Content-Type": "application/json", "X-Mine": "mine"}
    request = urllib.request.Request(f"{url}/v2/models/{model}/{path}", json.dumps(body).encode(), headers)
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=60) as reply:
            return reply.status, json.loads(reply.read()), reply.headers
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.loads(error.read()), error.headers


def simple(answer, body):
    """An answer without what may differ: the version that no class gave, and an id that nobody chose."""
    status, value, headers = answer
    value = dict(value)
    if value.get("model_version") == "1":
        del value["model_version"]
    assert "id" in value or status != 200
    if "id" not in body:
        value.pop("id", None)
    return status, value, headers.get("x-answer")


@pytest.fixture(scope="module", params=["own", "theirs"])
def python(request):
    """The environment that the classes run in."""
    return OWN if request.param == "own" else THEIRS


@pytest.fixture(scope="module")
def server(python, tmp_path_factory):
    folder = tmp_path_factory.mktemp("classes")
    with servers.serving(folder, mlserver_models.repository(folder / "models"), "--python", python) as server:
        server.own = python == OWN
        yield server


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    """MLServer itself, with the same folders."""
    folder = tmp_path_factory.mktemp("reference")
    mlserver_models.repository(folder / "models")
    ports = dict(zip(("http_port", "grpc_port", "metrics_port"), free_ports(3)))
    settings = {"debug": False, "host": "127.0.0.1", "parallel_workers": 0, **ports}
    (folder / "models/settings.json").write_text(json.dumps(settings))
    url = f"http://127.0.0.1:{ports['http_port']}"
    with open(folder / "log", "wb") as log:
        process = subprocess.Popen(
            [str(THEIRS / "bin/mlserver"), "start", str(folder / "models")], cwd=folder, stdout=log, stderr=log
        )
    try:
        servers.wait_until(lambda: _is_ready(url, process), "MLServer is not ready", 120)
        yield url
    finally:
        process.kill()
        process.wait()


def _is_ready(url, process):
    assert process.poll() is None, "MLServer has ended"
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url + "/v2/health/ready", timeout=5) as reply:
            return reply.status == 200
    except OSError:
        return False


def test_answers_are_mlservers(server, reference):
    for model, body in REQUESTS:
        theirs, ours = ask(reference, model, body), ask(server.url, model, body)
        assert simple(ours, body) == simple(theirs, body), (model, body)


def test_metadata_is_what_the_settings_say(server, reference):
    for model in ("scaled", "declared"):
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(f"{reference}/v2/models/{model}") as reply:
            theirs = json.loads(reply.read())
        ours = server.get_json(f"/v2/models/{model}")
        assert ours["name"] == theirs["name"]
        assert ours["platform"] == (theirs["platform"] or "python")
        for key in ("inputs", "outputs"):
            for tensor in theirs.get(key, []):
                tensor.pop("parameters", None)
            assert ours[key] == theirs.get(key, [])


def test_load_reads_its_files_and_settings(server):
    status, answer, _ = ask(server.url, "scaled", {"id": "a", "inputs": [column("payload", [1.0, 2.0], "FP32")]})
    assert status == 200 and answer["outputs"][0]["data"] == [3.0, 6.0]
    assert (answer["id"], answer["model_version"]) == ("a", "v2.1")
    log = server.log()
    assert "the factor is 3" in log and "custom handler of Scaled: GET /factor" in log
    # The version's text is a label.
    status, answer, _ = ask(server.url, "scaled/versions/v2.1", {"inputs": [column("payload", [1.0], "FP32")]})
    assert status == 200 and answer["outputs"][0]["data"] == [3.0]


def called(url, method, path, body=None):
    """(status, what the JSON says)."""
    request = urllib.request.Request(url + path, body, {"Content-Type": "application/json"}, method=method)
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=60) as reply:
            return reply.status, json.loads(reply.read())
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.loads(error.read())


CALLS = [
    ("GET", "/factor"),
    ("POST", "/factor/ann/sum", b"[1, 2]"),
    ("POST", "/factor/a%20b/sum?times=3", b"[1, 2]"),
    ("POST", "/factor/nobody/sum", b"[]"),
]


def test_a_class_has_paths_of_its_own(server):
    answers = [called(server.url, *call) for call in CALLS]
    assert answers == [
        (200, 3),
        (200, {"name": "ann", "sum": 3}),
        (200, {"name": "a b", "sum": 9}),
        (418, {"error": "there is nobody"}),
    ]
    for body in (b"{", b'{"a": 1}', b"", b'"text"'):
        status, answer = called(server.url, "POST", "/factor/ann/sum", body)
        assert status == 422 and answer["detail"][0]["loc"][0] == "body", (body, answer)
    status, answer = called(server.url, "POST", "/factor/ann/sum?times=many", b"[1]")
    assert status == 422 and answer["detail"][0]["loc"] == ["query", "times"]
    assert called(server.url, "POST", "/factor", b"{}")[0] == 405
    status, answer = called(server.url, "GET", "/factor/ann")
    assert status == 404 and "no such path" in answer["error"]


def test_its_paths_answer_as_there(server, reference):
    for call in CALLS:
        assert called(server.url, *call) == called(reference, *call), call
    for body in (b"{", b'{"a": 1}', b"", b'"text"'):
        call = ("POST", "/factor/ann/sum", body)
        assert called(server.url, *call)[0] == called(reference, *call)[0], call


def test_a_path_of_its_own_may_look_like_torchserves(server):
    assert called(server.url, "POST", "/scaled/predict", b"") == (200, "by its own path")
    assert called(server.url, "POST", "/words/predict", b"")[0] == 404


def test_a_path_of_its_own_gives_a_stream(server, reference):
    if server.own:
        pytest.skip("FastAPI is with MLServer's package")
    for how in ("sync", "async"):
        answers = []
        for url in (server.url, reference):
            with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(f"{url}/counted/{how}", timeout=60) as reply:
                answers.append((reply.read(), reply.headers["content-type"]))
        assert answers[0] == answers[1] and answers[0][0] == b"0\n1\n2\n3\n4\n", how
    status, answer = called(server.url, "GET", "/counted/endless")
    assert status == 500 and "/counted/endless is larger than 256 MiB" in answer["error"]
    assert called(server.url, "GET", "/factor") == (200, 3)


def test_an_exception_is_an_internal_error(server):
    status, answer, _ = ask(server.url, "refuses", {"inputs": [column("how", ["it broke"], "BYTES")]})
    assert (status, answer) == (500, {"error": "ValueError: it broke"})
    servers.wait_until(lambda: "raise ValueError(how)" in server.log(), "the traceback is logged")


def test_tritons_clients(server):
    x = np.array(X, np.float32)
    names = np.array([b"a", b"bc"], object)
    for module, address in ((triton_http, server.address), (triton_grpc, server.address)):
        with module.InferenceServerClient(address) as client:
            tensor = module.InferInput("payload", [2, 2], "FP32").set_data_from_numpy(x)
            result = client.infer("scaled", [tensor], outputs=[module.InferRequestedOutput("output-0")], request_id="9")
            np.testing.assert_array_equal(result.as_numpy("output-0"), 3 * x)
            question = module.InferInput("questions", [2], "BYTES").set_data_from_numpy(names)
            number = module.InferInput("numbers", [2], "INT32").set_data_from_numpy(np.array([2, 1], np.int32))
            answer = client.infer("words", [question, number])
            assert answer.as_numpy("output-0").ravel().tolist() == [b"a!!", b"bc!"]
            how = module.InferInput("how", [1], "BYTES").set_data_from_numpy(np.array([b"422"], object))
            with pytest.raises(InferenceServerException, match="status 422") as refused:
                client.infer("refuses", [how])
            assert refused.value.status() in ("422", "StatusCode.FAILED_PRECONDITION")


def test_what_grpc_says_beside_its_tensors(server):
    with triton_grpc.InferenceServerClient(server.address) as client:
        text = triton_grpc.InferInput("q", [1], "BYTES").set_data_from_numpy(np.array([b"text"], object))
        text._input.parameters["content_type"].string_param = "str"
        answer = client.infer("echo", [text], parameters={"n": 3}, headers={"x-mine": "m"}, sequence_id=5, sequence_start=True)
        seen = json.loads(answer.as_numpy("seen")[0])
        assert seen["mine"] == "m" and seen["decoded"] == ["['text']"]
        assert seen["parameters"] == {"n": 3, "sequence_id": 5, "sequence_start": True, "sequence_end": False}
        (q,) = seen["inputs"]
        assert q == {
            "name": "q", "shape": [1], "datatype": "BYTES", "parameters": {"content_type": "str"}, "data": ["text"],
        }  # fmt: skip
        response = answer.get_response()
        assert response.parameters["n"].int64_param == 7 and response.outputs[0].parameters["k"].string_param == "v"
        assert answer.as_numpy("half").tolist() == [0.5, 1.5] and answer.as_numpy("flag").tolist() == [[True, False]]
    with grpc.insecure_channel(server.address) as channel:
        request = service_pb2.ModelInferRequest(model_name="echo")
        request.inputs.add(name="n", datatype="INT32", shape=[2]).contents.int_contents.extend([1, 2])
        response, call = service_pb2_grpc.GRPCInferenceServiceStub(channel).ModelInfer.with_call(request)
        assert ("x-answer", "yes") in [(key, value) for key, value in call.trailing_metadata()]
        assert json.loads(response.raw_output_contents[0][4:])["inputs"][0]["data"] == [1, 2]


def test_a_fallback_gets_all_that_was_sent(python, tmp_path):
    """A route's first model is another one, whose requests are not read for classes; the class it falls back to gets what it
    would get by its own name, whatever the body's form."""
    folder = tmp_path / "models"
    mlserver_models.write(folder, "echo", "Echo")
    broken = folder / "broken" / "1"
    broken.mkdir(parents=True)
    (broken / "model.py").write_text(BROKEN)
    (broken.parent / "config.pbtxt").write_text(triton_repository.FP32_4 + ' backend: "python"')
    body = {
        "id": "f",
        "parameters": {"plain": 1},
        "inputs": [{**column("x", [1, 2, 3, 4], "FP32", "np"), "parameters": {"content_type": "np", "more": [1]}}],
        "outputs": [{"name": "y", "parameters": {"content_type": "np"}}],
    }
    with servers.serving(tmp_path, folder, "--python", python) as server:
        route = {"split": {"broken": 100}, "fallback": {"to": ["echo"]}}
        assert server.request("PUT", "/admin/routes/r", json.dumps(route).encode())[0] == 200
        told = {}
        for name in ("echo", "r"):
            status, answer, headers = ask(server.url, name, body)
            assert status == 200 and headers["x-answer"] == "yes", answer
            (seen,) = [json.loads(one["data"][0]) for one in answer["outputs"] if one["name"] == "seen"]
            told[name] = {key: value for key, value in seen.items() if key != "model_name"}
        assert headers["x-route-fallback"] == "error"
        assert told["r"] == told["echo"] and told["r"]["mine"] == "mine"
        assert told["r"]["inputs"][0]["parameters"] == {"content_type": "np", "more": [1]}
        # The model that is asked first is asked as ever: what it can't be sent is the client's mistake.
        nested = {**body, "parameters": {"nested": {"a": 1}}}
        assert ask(server.url, "echo", nested)[0] == 200
        status, answer, _ = ask(server.url, "r", nested)
        assert status == 400 and "parameter 'nested' has invalid type" in answer["error"]


def test_what_is_large_ends_no_worker(server):
    workers = python_workers.of(server)
    body = {"inputs": [column("questions", ["a"], "BYTES", "str"), column("numbers", [1], "INT32")]}
    for large in ("a" * 17_000_000, "é" * 3_000_000):
        status, answer, _ = ask(server.url, "words", {**body, "id": large})
        assert status == 200 and answer["id"] == large
    assert ask(server.url, "large", {"inputs": [column("size", [100_000], "INT32")]})[0] == 200
    status, answer, _ = ask(server.url, "large", {"inputs": [column("size", [3_000_000], "INT32")]})
    assert status >= 400 and "give what is larger as an output" in answer["error"]
    assert python_workers.of(server) == workers


def test_a_request_that_is_none_of_mlservers_is_the_clients_mistake(server):
    # What an earlier test's errors have to say may still come, so this looks at what comes behind a word of its own.
    mark = f"mark of {len(server.log())}"
    assert ask(server.url, "refuses", {"inputs": [column("how", [mark], "BYTES")]})[0] == 500
    servers.wait_until(lambda: f"ValueError: {mark}" in server.log(), "the word is in the log")
    with grpc.insecure_channel(server.address) as channel:
        request = service_pb2.ModelInferRequest(model_name="echo", raw_input_contents=[b"abcd"])
        request.inputs.add(name="n", datatype="BF16", shape=[2])
        with pytest.raises(grpc.RpcError) as refused:
            service_pb2_grpc.GRPCInferenceServiceStub(channel).ModelInfer(request)
    assert refused.value.code() == grpc.StatusCode.INVALID_ARGUMENT and "BF16" in refused.value.details()
    wrong = {**column("x", [1], "INT32"), "parameters": {"content_type": 7}}
    assert ask(server.url, "echo", {"inputs": [wrong]})[0] == 400
    assert ask(server.url, "refuses", {"inputs": [column("how", ["422"], "BYTES")]})[0] == 422
    assert ask(server.url, "refuses", {"inputs": [column("how", ["the end"], "BYTES")]})[0] == 500
    servers.wait_until(lambda: "ValueError: the end" in server.log(), "what came before it is in the log")
    told = server.log().partition(f"ValueError: {mark}")[2].partition("ValueError: the end")[0]
    assert told.count("Traceback") == 1, told


def test_parameters_names_mean_nothing_to_the_codecs(server):
    if not server.own:
        pytest.skip("of modelmill's own package")
    names = {"_decoded_payload": [[9.0]], "_set": 1, "_extra": 2, "self": 3, "model_dump": 4, "dict": 5}
    body = {"inputs": [{**column("any", [1, 2], "FP64"), "parameters": names}], "parameters": names}
    status, answer, _ = ask(server.url, "whole", body)
    assert status == 200 and answer["outputs"][0]["data"] == [1, 2]


def test_requests_are_in_predict_together(server):
    body = {"inputs": [column("x", ["a"], "BYTES")]}
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: ask(server.url, "together", body)[0], range(4)))
    assert answers == [200] * 4


def test_adaptive_batching(server):
    def one(number):
        return ask(server.url, "batched", {"id": str(number), "inputs": [column("x", [number, -number], "FP32", shape=[1, 2])]})

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(one, range(4)))
    for number, (status, answer, _) in enumerate(answers):
        x, size = answer["outputs"]
        assert status == 200 and answer["id"] == str(number)
        assert x["data"] == [number, -number] and (size["data"], size["shape"]) == ([4], [1, 1])


def _events(server, path, body):
    request = urllib.request.Request(f"{server.url}/v2/models/tokens/{path}", json.dumps(body).encode())
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=60) as reply:
        assert reply.headers["content-type"].startswith("text/event-stream")
        return [json.loads(line.removeprefix("data: ")) for line in reply.read().decode().split("\n\n") if line]


@pytest.mark.parametrize("path", ["infer_stream", "generate_stream"])
def test_streams(server, path):
    events = _events(server, path, {"id": "s", "inputs": [column("text", ["one two three"], "BYTES")]})
    assert [event["outputs"][0]["data"] for event in events] == [["one"], ["two"], ["three"]]
    assert {event["id"] for event in events} == {"s"}
    events = _events(server, path, {"inputs": [column("text", ["one stop"], "BYTES")]})
    assert events[0]["outputs"][0]["data"] == ["one"] and events[1] == {"error": "it stopped"}
    status, answer, _ = ask(server.url, "tokens", {"inputs": [column("text", ["one two"], "BYTES")]}, "generate")
    assert status == 200 and answer["outputs"][0]["data"] == ["one two"]


def test_streams_over_grpc(server):
    answers = []
    with triton_grpc.InferenceServerClient(server.address) as client:
        client.start_stream(lambda result, error: answers.append((result, error)))
        text = triton_grpc.InferInput("text", [1], "BYTES").set_data_from_numpy(np.array([b"one two"], object))
        client.async_stream_infer("tokens", [text], request_id="s", enable_empty_final_response=True)
        client.stop_stream()
    assert all(error is None for _, error in answers)
    words = [result.as_numpy("token").item() for result, _ in answers if result.get_response().outputs]
    assert words == [b"one", b"two"]


def test_metrics_of_ones_own(server):
    for words in (["a"], ["a", "b"]):
        assert ask(server.url, "metered", {"inputs": [column("x", words, "BYTES")]})[0] == 200

    def sums():
        return [line for line in server.get("/metrics")[1].decode().splitlines() if line.startswith("words_seen_sum")]

    servers.wait_until(lambda: [line.endswith(" 3") for line in sums()] == [True], "both are counted")
    assert 'model_name="metered"' in sums()[0]


def test_only_v2_has_names_for_it(server):
    status, reply, _ = server.request("POST", "/v2/models/nobody/infer_stream", b"{}")
    assert status == 404 and b"'nobody'" in reply
    status, answer = server.post_json("/predict/words", {"questions": ["a"]})
    assert status == 400 and "error" in answer


def test_what_keeps_a_class_from_being_served(python, tmp_path):
    wrong = {
        "unready": ("Unready", "load() of Unready returned False"),
        "unloadable": ("Unloadable", "there is no such weight"),
        "nobody": ("Nobody", "models.Nobody, which is no class derived from mlserver.MLModel"),
    }
    for name, (implementation, _) in wrong.items():
        mlserver_models.write(tmp_path, name, implementation)
    mlserver_models.write(tmp_path, "lacks", "Lacks", "class Lacks(MLModel): pass", "from mlserver import MLModel\nimport absent\n")
    result = run_cli("serve", tmp_path, "--port", 0, "--python", python)
    assert result.returncode != 0
    for name, (_, why) in wrong.items():
        assert why in result.stderr, name
    assert "No module named 'absent' in " in result.stderr and "requirements.txt beside model-settings.json" in result.stderr


def test_what_our_package_does_not_have(tmp_path):
    mlserver_models.write(tmp_path, "lacks", "Lacks", "", "from mlserver.kafka import KafkaServer\n")
    result = run_cli("serve", tmp_path, "--port", 0, "--python", OWN)
    assert result.returncode != 0 and "modelmill's own package 'mlserver' does not have that" in result.stderr


def test_as_mlserver(serve, python, tmp_path):
    mlserver_models.repository(tmp_path / "models")
    ports = dict(zip(("http_port", "grpc_port", "metrics_port"), free_ports(3)))
    settings = {"host": "127.0.0.1", "parallel_workers": 2, **ports}
    (tmp_path / "models/settings.json").write_text(json.dumps(settings))
    server = serve("start", str(tmp_path / "models"), personality="mlserver", env={"MODELMILL_PYTHON": str(python)})
    body = {"inputs": [column("payload", [1.0, 2.0], "FP32")]}
    status, answer, _ = ask(server.url, "scaled", body)
    assert status == 200 and answer["outputs"][0]["data"] == [3.0, 6.0]
    server.stop()
