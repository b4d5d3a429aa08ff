"""Answers that are kept: hits run nothing, are counted as Triton counts them, and are never another question's."""

import concurrent.futures
import json

import numpy as np
import pytest
import tritonclient.grpc

import clients
import mlserver_models
import models
import python_workers
import servers
import torchserve_archives
from changing_models import control, replace_file, write_version
from free_ports import free_ports
from personalities import run_as, status
from servers import wait_until
from test_ensembles import X, affine, ensemble_config, step, tensors
from test_shared_memory import region, shared_input, shm

CACHED = "response_cache { enable: true }\n"
ROW = np.arange(4, dtype=np.float32).reshape(1, 4)


def cached(repository, name, model, more=""):
    write_version(repository, name, 1, model, CACHED + more)


@pytest.fixture
def repository(tmp_path):
    folder = tmp_path / "models"
    cached(folder, "twice", models.scaled(2))
    write_version(folder, "thrice", 1, models.scaled(3))
    cached(folder, "two_outputs", models.argmax_and_scores())
    cached(folder, "strings", models.string_concat())
    return folder


@pytest.fixture
def server(serve, repository):
    return serve(repository, "--response-cache-bytes=1MiB", "--allow-client-shm=/modelmill_test_")


def counts(server, model):
    """(hits, misses) as the statistics have them."""
    stats = server.stats(model)["inference_stats"]
    return stats["cache_hit"]["count"], stats["cache_miss"]["count"]


def value_of(server, name, **labels):
    text = ",".join(f'{key}="{value}"' for key, value in labels.items())
    head = f"{name}{{{text}}} " if text else f"{name} "
    [found] = [line for line in server.get("/metrics")[1].decode().splitlines() if line.startswith(head)]
    return float(found.removeprefix(head))


@pytest.mark.parametrize("kind", clients.KINDS)
def test_a_hit_runs_nothing(server, kind):
    with clients.Client(kind, server.address) as client:
        for _ in range(4):
            np.testing.assert_array_equal(client.infer("twice", {"x": ROW}).as_numpy("y"), 2 * ROW)
        server.wait_executions(1, "twice")
        np.testing.assert_array_equal(client.infer("twice", {"x": ROW + 1}).as_numpy("y"), 2 * ROW + 2)
        server.wait_executions(2, "twice")
        stats = client.json("get_inference_statistics", "twice")["model_stats"][0]
        of = stats["inference_stats"]
        assert (of["cache_hit"]["count"], of["cache_miss"]["count"]) == (3, 2)
        assert of["cache_hit"]["ns"] > 0 and of["cache_miss"]["ns"] > 0
        assert (of["success"]["count"], of["queue"]["count"], of["compute_infer"]["count"]) == (5, 5, 2)
        assert (stats["inference_count"], stats["execution_count"]) == (2, 2), "as in Triton"
        for _ in range(2):
            client.infer("thrice", {"x": ROW})
        server.wait_executions(2, "thrice")
        assert counts(server, "thrice") == (0, 0), "it has not asked for it"
    page = server.get("/metrics")[1].decode()
    assert 'nv_cache_num_hits_per_model{model="thrice"' not in page
    assert value_of(server, "nv_cache_num_hits_per_model", model="twice", version="1") == 3
    assert value_of(server, "nv_cache_num_misses_per_model", model="twice", version="1") == 2
    assert value_of(server, "modelmill_cache_hits_total") == 3
    assert value_of(server, "modelmill_cache_entries") == 2
    assert 0 < value_of(server, "modelmill_cache_bytes") <= value_of(server, "modelmill_cache_limit_bytes") == 1 << 20
    explained = servers.run_cli("explain", "twice", "--server", server.url)
    assert "60% of 5 requests were answered out of the response cache" in explained.stdout


def test_every_protocol_asks_the_same(server):
    body = {"inputs": [{"name": "x", "shape": [1, 4], "datatype": "FP32", "data": [0, 1, 2, 3]}]}
    code, answer = server.post_json("/v2/models/twice/infer", body)
    assert code == 200 and answer["outputs"][0]["data"] == [0, 2, 4, 6]
    with clients.Client("grpc", server.address) as client:
        answer = client.infer("twice", {"x": ROW}, request_id="a name")
        np.testing.assert_array_equal(answer.as_numpy("y"), 2 * ROW)
        assert answer.get_response().id == "a name", "its own"
    with clients.Client("http", server.address) as client:
        np.testing.assert_array_equal(client.infer("twice", {"x": ROW}, binary=False).as_numpy("y"), 2 * ROW)
    assert server.post_json("/v1/models/twice:predict", {"instances": ROW.tolist()}) == (200, {"predictions": (2 * ROW).tolist()})
    assert counts(server, "twice") == (3, 1)


def test_what_is_asked_for_differs(server):
    x = np.array([[0.1, 3, 0.2]], np.float32)
    with clients.Client("grpc", server.address) as client:

        def names(*outputs):
            asked = [client.output(name) for name in outputs] or None
            answer = client.infer("two_outputs", {"x": x}, outputs=asked)
            return sorted(output.name for output in answer.get_response().outputs)

        for _ in range(2):
            assert names("label") == ["label"]
            assert names("scores") == ["scores"]
            assert names() == ["label", "scores"]
        assert counts(server, "two_outputs") == (3, 3)
        # Classes are made of the answer, which is that of the same output.
        top = client.infer("two_outputs", {"x": x}, outputs=[client.output("scores", class_count=1)])
        assert top.as_numpy("scores").item().endswith(b":1")
        np.testing.assert_array_equal(client.infer("two_outputs", {"x": x}, outputs=[client.output("label")]).as_numpy("label"), [1])
        assert counts(server, "two_outputs") == (5, 3)


def test_strings_are_compared_whole(server):
    def row(*texts):
        return np.array([texts], dtype=object)

    with clients.Client("grpc", server.address) as client:
        for _ in range(2):
            for left, right in ((("a", "bc"), ("x", "y")), (("ab", "c"), ("x", "y")), (("a", "bc"), ("xy", ""))):
                joined = client.infer("strings", {"left": row(*left), "right": row(*right)}).as_numpy("joined")
                assert joined.tolist() == [[(a + b).encode() for a, b in zip(left, right)]]
    assert counts(server, "strings") == (3, 3)


def test_parameters_and_sequences(server):
    with clients.Client("grpc", server.address) as client:
        for _ in range(2):
            client.infer("twice", {"x": ROW}, parameters={"mode": "fast"})
            client.infer("twice", {"x": ROW}, parameters={"mode": "slow"})
        assert counts(server, "twice") == (2, 2)
        for _ in range(2):
            client.infer("twice", {"x": ROW}, parameters={"mode": "fast"}, sequence_id=7, sequence_start=True)
        assert counts(server, "twice") == (2, 2), "requests of sequences pass it by"
        client.infer("twice", {"x": ROW}, parameters={"mode": "fast"}, priority=1, client_timeout=60)
        assert counts(server, "twice") == (3, 2)


def test_shared_memory_is_read_as_it_is(server):
    with clients.Client("grpc", server.address) as client, region(client, "row", ROW.nbytes) as handle:
        for factor in (1, 5, 1, 5):
            shm.set_shared_memory_region(handle, [ROW * factor])
            answer = client.infer_tensors("twice", [shared_input(client, "x", (1, 4), "FP32", "row", ROW.nbytes)])
            np.testing.assert_array_equal(answer.as_numpy("y"), 2 * factor * ROW)
    assert counts(server, "twice") == (2, 2)


def test_those_not_asked_for_longest_go(serve, repository):
    server = serve(repository, "--response-cache-entries=2")
    with clients.Client("http", server.address) as client:
        for value in (1, 2, 1, 3, 1, 2):  # 3 takes the place of 2
            np.testing.assert_array_equal(client.infer("twice", {"x": ROW * value}).as_numpy("y"), 2 * value * ROW)
    assert counts(server, "twice") == (2, 4)
    assert value_of(server, "modelmill_cache_evictions_total") == 2
    assert value_of(server, "modelmill_cache_entries") == 2


def test_the_bytes_are_bounded(serve, tmp_path):
    cached(tmp_path / "models", "wide", models.scaled(2, ("batch", "n")))
    server = serve(tmp_path / "models", "--response-cache-bytes=100000")
    with clients.Client("grpc", server.address) as client:
        for turn in range(60):
            x = np.full((1, 1_000), turn, np.float32)  # with its answer more than 8,000 bytes
            np.testing.assert_array_equal(client.infer("wide", {"x": x}).as_numpy("y"), 2 * x)
            assert value_of(server, "modelmill_cache_bytes") <= 100_000
        assert 9 <= value_of(server, "modelmill_cache_entries") <= 12
        large = np.zeros((1, 20_000), np.float32)
        for _ in range(2):
            client.infer("wide", {"x": large})
    assert counts(server, "wide") == (0, 62), "what can't be kept is a miss"
    assert value_of(server, "modelmill_cache_too_large_total") == 2


def test_many_clients_get_their_own_answers(serve, repository):
    server = serve(repository, "--response-cache-entries=20")

    def ask(seed):
        random = np.random.default_rng(seed)
        with clients.Client("grpc", server.address) as client:
            for value in random.integers(0, 40, 150).astype(np.float32):
                np.testing.assert_array_equal(client.infer("twice", {"x": ROW + value}).as_numpy("y"), 2 * (ROW + value))

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        list(pool.map(ask, range(8)))
    hits, misses = counts(server, "twice")
    assert hits + misses == 8 * 150 and hits > 0
    # One that takes the place of its equal, which another client asked for at the same time, has made room as well.
    assert 0 < value_of(server, "modelmill_cache_entries") <= 20


def test_a_version_that_is_loaded_again_computes_again(serve, repository):
    server = serve(repository, "--response-cache-bytes=1MiB", "--model-control-mode=explicit", "--load-model=*")
    with clients.Client("http", server.address) as client:
        for _ in range(2):
            np.testing.assert_array_equal(client.infer("twice", {"x": ROW}).as_numpy("y"), 2 * ROW)
        replace_file(models.scaled(7), repository / "twice/1/model.onnx")
        assert control(server, "twice", "load")[0] == 200
        for _ in range(2):
            np.testing.assert_array_equal(client.infer("twice", {"x": ROW}).as_numpy("y"), 7 * ROW)
    assert counts(server, "twice") == (2, 2)
    wait_until(lambda: value_of(server, "modelmill_cache_entries") == 1, "the old answer has gone with its version")


@pytest.fixture
def ensemble(repository):
    """e = plus(double(x)), kept as a whole; double is kept too."""
    cached(repository, "double", affine(2, 0))
    write_version(repository, "plus", 1, affine(1, 10))
    config = CACHED + ensemble_config(
        [step("double", {"x": "IN"}, {"y": "middle"}), step("plus", {"x": "middle"}, {"y": "OUT"})], tensors(["IN"], ["OUT"])
    )
    (repository / "e/1").mkdir(parents=True)
    (repository / "e/config.pbtxt").write_text(config)
    return repository


def ask_until_kept(server, client, model, answer):
    """Its members may be published once more after it is: then it is asked anew."""

    def is_kept():
        hits, _ = counts(server, model)
        np.testing.assert_allclose(client.infer(model, {"IN": X}).as_numpy("OUT"), answer, rtol=1e-6)
        return counts(server, model)[0] > hits

    wait_until(is_kept, f"an answer of '{model}' is kept")


def test_an_ensemble_and_its_members(serve, ensemble):
    server = serve(ensemble, "--response-cache-bytes=1MiB", "--model-control-mode=explicit", "--load-model=*")
    with clients.Client("grpc", server.address) as client:
        ask_until_kept(server, client, "e", 2 * X + 10)
        hits, misses = counts(server, "e")
        # Other models may come and go.
        replace_file(models.scaled(9), ensemble / "thrice/1/model.onnx")
        assert control(server, "thrice", "load")[0] == 200
        np.testing.assert_allclose(client.infer("e", {"IN": X}).as_numpy("OUT"), 2 * X + 10, rtol=1e-6)
        assert counts(server, "e") == (hits + 1, misses)
        hits, misses = counts(server, "double")
        client.infer("double", {"x": X}, outputs=[client.output("y")])
        assert counts(server, "double") == (hits + 1, misses), "it was asked the same"
        # Another member: what was kept of the whole is not true any more.
        replace_file(affine(1, 20), ensemble / "plus/1/model.onnx")
        assert control(server, "plus", "load")[0] == 200
        np.testing.assert_allclose(client.infer("e", {"IN": X}).as_numpy("OUT"), 2 * X + 20, rtol=1e-6)
        assert counts(server, "double") == (hits + 2, misses)
        server.wait_executions(1, "double")


def test_an_ensemble_of_an_ensemble(serve, ensemble):
    config = CACHED + ensemble_config([step("e", {"IN": "IN"}, {"OUT": "OUT"})], tensors(["IN"], ["OUT"]))
    (ensemble / "outer/1").mkdir(parents=True)
    (ensemble / "outer/config.pbtxt").write_text(config)
    server = serve(ensemble, "--response-cache-bytes=1MiB", "--model-control-mode=explicit", "--load-model=*")
    with clients.Client("grpc", server.address) as client:
        for more in (10, 20):
            ask_until_kept(server, client, "outer", 2 * X + more)
            # A member of its member.
            replace_file(affine(1, 20), ensemble / "plus/1/model.onnx")
            assert control(server, "plus", "load")[0] == 200


def test_large_questions(serve, tmp_path):
    """Those that no loop hashes."""
    cached(tmp_path / "models", "wide", models.scaled(2, ("batch", "n")))
    server = serve(tmp_path / "models", "--response-cache-bytes=64MiB")
    x = np.random.default_rng(7).random((1, 1_000_000), np.float32)
    for kind in ("http", "grpc"):
        with clients.Client(kind, server.address) as client:
            for _ in range(2):
                np.testing.assert_array_equal(client.infer("wide", {"x": x}).as_numpy("y"), 2 * x)
    with clients.Client("http", server.address) as client:
        other = x.copy()
        other[0, -1] += 1
        np.testing.assert_array_equal(client.infer("wide", {"x": other}).as_numpy("y"), 2 * other)
    assert counts(server, "wide") == (3, 2)
    server.wait_executions(2, "wide")


HANDLER = """
    import uuid
    from ts.utils.util import PredictionException

    class Anew:
        def handle(self, data, context):
            body, text = bytes(data[0]["body"]), uuid.uuid4().hex
            if body == b"refuse":
                raise PredictionException(text, 404)
            if body == b"gone":
                context.set_response_status(410, "Gone", 0)
            return [text]
"""


def test_what_a_torchserve_handler_refuses_is_asked_again(serve, tmp_path):
    archive = torchserve_archives.pack(tmp_path, tmp_path / "store", "anew", HANDLER)
    (tmp_path / "modelmill.yaml").write_text(f"models: [{{path: {archive}, response_cache: true}}]\n")
    server = serve(tmp_path / "modelmill.yaml", "--python", torchserve_archives.VENV, "--response-cache-bytes=1MiB")

    def ask(body):
        kind = {"Content-Type": "application/octet-stream"}
        return [server.request("POST", "/predictions/anew", body, kind)[:2] for _ in range(2)]

    first, second = ask(b"fine")
    assert first == second and first[0] == 200
    for body, code in ((b"refuse", 404), (b"gone", 410)):
        first, second = ask(body)
        assert first[0] == second[0] == code and first[1] != second[1], body
    assert counts(server, "anew") == (1, 1), "what is refused is counted as what fails: not at all"


def test_copies_for_shadows_pass_it_by(server):
    route = {"split": {"thrice": 100}, "shadow": [{"target": "twice"}]}
    code, answer, _ = server.request("PUT", "/admin/routes/reader", json.dumps(route).encode())
    assert code == 200, answer
    with clients.Client("grpc", server.address) as client:
        for _ in range(4):
            client.infer("reader", {"x": ROW})
        wait_until(lambda: server.stats("twice")["inference_stats"]["success"]["count"] == 4, "all copies have run")
        assert counts(server, "twice") == (0, 0)
        client.infer("twice", {"x": ROW})
        assert counts(server, "twice") == (0, 1), "they have left nothing"


def test_models_whose_answers_can_not_be_kept(serve, tmp_path, repository):
    write_version(repository, "many", 1, models.scaled(2), CACHED + "model_transaction_policy { decoupled: true }")
    python_workers.write(tmp_path, "counting", "from typing import Iterator\n\n@modelmill.model\ndef counting(x: int) -> Iterator[int]:\n    yield from range(x)\n")
    (tmp_path / "modelmill.yaml").write_text("models: [{name: counting, path: counting.py, response_cache: true}]\n")
    # Two of its models are missing, so it is not ready.
    server = serve(repository, tmp_path / "modelmill.yaml", "--response-cache-bytes=1MiB", check_ready=False)
    log = server.log()
    assert "model 'many' can't be kept in the response cache, because it is decoupled" in log
    assert "model 'counting' can't be kept in the response cache, because it is decoupled" in log
    assert server.get("/v2/models/twice/ready")[0] == 200


def test_a_server_without_a_cache_serves_them_all_the_same(serve, repository):
    server = serve(repository)
    with clients.Client("grpc", server.address) as client:
        for _ in range(2):
            client.infer("twice", {"x": ROW})
    server.wait_executions(2, "twice")
    assert counts(server, "twice") == (0, 0)
    assert "cache" not in server.get("/metrics")[1].decode()
    explained = servers.run_cli("explain", "twice", "--server", server.url)
    assert "--response-cache-bytes gives it one" in explained.stdout


@pytest.mark.parametrize("flag", ["--cache-config=local,size=65536", "--response-cache-byte-size=65536"])
def test_as_triton(serve, repository, flag):
    http, grpc, metrics = free_ports(3)
    server = serve(
        f"--model-repository={repository}", "--http-address=127.0.0.1", "--grpc-address=127.0.0.1", "--metrics-address=127.0.0.1",
        f"--http-port={http}", f"--grpc-port={grpc}", f"--metrics-port={metrics}", "--metrics-config=summary_latencies=true", flag,
        personality="tritonserver",
    )  # fmt: skip
    with clients.Client("grpc", f"127.0.0.1:{grpc}") as client:
        for _ in range(3):
            client.infer("twice", {"x": ROW})
    assert counts(server, "twice") == (2, 1)
    page = status(f"http://127.0.0.1:{metrics}", "/metrics")[1]
    for line in (
        'nv_cache_num_hits_per_model{model="twice",version="1"} 2',
        'nv_cache_num_misses_per_model{model="twice",version="1"} 1',
        'nv_cache_hit_summary_per_model_count{model="twice",version="1"} 2',
        'nv_cache_miss_summary_per_model_count{model="twice",version="1"} 1',
        "modelmill_cache_limit_bytes 65536",
    ):
        assert line in page, line
    assert 'nv_cache_hit_duration_per_model{model="twice",version="1"}' in page


def test_triton_has_one_cache(repository):
    for flags, says in (
        (["--cache-config=local,size=8192", "--cache-config=redis,key=value"], "multiple cache configurations"),
        (["--response-cache-byte-size=12345", "--cache-config=local,size=67890"], "incompatible flags"),
        (["--cache-config=local"], "format is '<cache name>,<setting>=<value>'"),
    ):
        refused = run_as("tritonserver", f"--model-repository={repository}", *flags)
        assert refused.returncode == 1 and says in refused.stdout + refused.stderr, says


def test_as_mlserver(serve, tmp_path):
    folder = tmp_path / "mlserver"
    imports = "import numpy as np\nfrom mlserver import MLModel\nfrom mlserver.codecs import decode_args\nfrom mlserver.handlers import custom_handler\n\n\n"
    code = "class Doubled(MLModel):\n    @decode_args\n    async def predict(self, x: np.ndarray) -> np.ndarray:\n        return 2 * x\n"
    mlserver_models.write(folder, "kept", "Doubled", code, imports, cache_enabled=True)
    mlserver_models.write(folder, "computed", "Doubled", code, imports)
    told = '    @custom_handler(rest_path="/told")\n    async def tell(self) -> str:\n        return __import__("uuid").uuid4().hex\n'
    mlserver_models.write(folder, "told", "Told", code.replace("Doubled", "Told") + told, imports, cache_enabled=True)
    http, grpc, metrics = free_ports(3)
    settings = {"host": "127.0.0.1", "http_port": http, "grpc_port": grpc, "metrics_port": metrics, "cache_enabled": True, "cache_size": 2}
    (folder / "settings.json").write_text(json.dumps(settings))
    server = serve("start", str(folder), personality="mlserver")
    assert "is ignored" not in server.log()
    for model in ("kept", "computed"):
        for turn, number in enumerate((1.0, 2.0, 1.0, 3.0, 2.0)):
            body = {"id": f"request {turn}", "inputs": [{"name": "x", "shape": [1], "datatype": "FP64", "data": [number]}]}
            code, answer = server.post_json(f"/v2/models/{model}/infer", body)
            assert code == 200 and answer["outputs"][0]["data"] == [2 * number], answer
            assert answer["id"] == f"request {turn}"
    assert counts(server, "kept") == (1, 4), "3 took the place of 2"
    assert counts(server, "computed") == (0, 0)
    answers = [server.post_json("/told", b"") for _ in range(3)]
    assert [code for code, _ in answers] == [200] * 3 and len({text for _, text in answers}) == 3, "they are its code's own"
    assert counts(server, "told") == (0, 0)
    page = status(f"http://127.0.0.1:{metrics}", "/metrics")[1]
    [limit] = [line for line in page.splitlines() if line.startswith("modelmill_cache_limit_bytes ")]
    assert float(limit.split()[1]) == 1 << 30, "with a number comes a bound of bytes"


def test_a_kept_answer_is_addressed_to_who_asks_now(server):
    client = tritonclient.grpc.InferenceServerClient(server.address)
    tensor = tritonclient.grpc.InferInput("x", [1, 4], "FP32")
    tensor.set_data_from_numpy(ROW)
    for name in ("first", "second"):
        response = client.infer("twice", [tensor], model_version="1", request_id=name).get_response()
        assert (response.model_name, response.model_version, response.id) == ("twice", "1", name)
    client.close()
    assert counts(server, "twice") == (1, 1)
