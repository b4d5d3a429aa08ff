"""What models of Triton's Python backend say to other models, and what they have loaded."""

import contextlib
import json

import numpy as np
import pytest
from tritonclient.utils import InferenceServerException

import clients
import servers
import triton_repository
from servers import wait_until
from triton_repository import FP32_4, add

ROW = np.array([1, 2, 3, 4], np.float32)
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

TOLD = """input [ { name: "x" data_type: TYPE_FP32 dims: [ 4 ] } ]
output [ { name: "told" data_type: TYPE_STRING dims: [ 1 ] }, { name: "other" data_type: TYPE_FP32 dims: [ 4 ] } ]"""
INNER = """
    class TritonPythonModel:
        def execute(self, requests):
            responses = []
            for request in requests:
                told = {
                    "id": request.request_id(), "correlation": request.correlation_id(), "flags": request.flags(),
                    "outputs": list(request.requested_output_names()), "parameters": json.loads(request.parameters()),
                    "timeout": request.timeout(), "priority": request.priority(), "trace": request.trace().get_context(),
                }
                outputs = [pb_utils.Tensor("told", np.array([json.dumps(told)], dtype=np.object_))]
                if request.inputs()[0].as_numpy()[0] < 0:
                    outputs = []
                responses.append(pb_utils.InferenceResponse(outputs, parameters={"cost": 7, "by": "inner", "half": 0.5}))
            return responses
"""
OUTER = """
    class TritonPythonModel:
        def execute(self, requests):
            return [self.one(request) for request in requests]

        def one(self, request):
            x = request.inputs()[0]
            given = json.loads(request.parameters())
            more = json.loads(given.get("call", "{}"))
            if given.get("traced"):
                more["trace"] = request.trace()
            inner = pb_utils.InferenceRequest(
                model_name="inner", inputs=[x], preferred_memory=pb_utils.PreferredMemory(pb_utils.TRITONSERVER_MEMORY_CPU), **more
            )
            answer = inner.exec()
            if answer.has_error():
                return pb_utils.InferenceResponse(error=answer.error())
            told = {
                "names": [tensor.name() for tensor in answer.output_tensors()],
                "parameters": json.loads(answer.parameters()),
                "told": [json.loads(tensor.as_numpy()[0]) for tensor in answer.output_tensors()],
            }
            return pb_utils.InferenceResponse([pb_utils.Tensor("told", np.array([json.dumps(told)], dtype=np.object_))])
"""
# Goes on until it is cancelled.
ENDLESS = """
    import time

    class TritonPythonModel:
        def execute(self, requests):
            for request in requests:
                sender = request.get_response_sender()
                for number in range(10000):
                    if sender.is_cancelled():
                        print("endless saw the cancellation")
                        break
                    sender.send(pb_utils.InferenceResponse([pb_utils.Tensor("y", np.full(4, number, np.float32))]))
                    time.sleep(0.01)
                sender.send(flags=pb_utils.TRITONSERVER_RESPONSE_COMPLETE_FINAL)
"""
READER = """
    class TritonPythonModel:
        def execute(self, requests):
            responses = []
            for request in requests:
                inner = pb_utils.InferenceRequest(model_name="endless", inputs=request.inputs(), requested_output_names=["y"])
                answer = inner.exec()
                assert answer.has_error() and "decoupled" in answer.error().message(), answer.error()
                iterator = inner.exec(decoupled=True)
                for number, answer in enumerate(iterator):
                    if answer.has_error() or not answer.output_tensors():
                        continue
                    assert answer.output_tensors()[0].as_numpy()[0] == number
                    if number == 3:
                        iterator.cancel()
                again = sum(1 for answer in iterator)
                y = np.array([number < 9000, again == number + 1, 0, 0], np.float32)
                responses.append(pb_utils.InferenceResponse([pb_utils.Tensor("y", y)]))
            return responses
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("calls")
    models = folder / "models"
    add(models, "inner", TOLD, INNER)
    add(models, "outer", TOLD, OUTER)
    add(models, "endless", f"model_transaction_policy {{ decoupled: true }} {FP32_4}", ENDLESS)
    add(models, "reader", FP32_4, READER)
    with servers.serving(folder, models) as server:
        yield server


@pytest.fixture(params=["http", "grpc"])
def client(request, server):
    client = clients.Client(request.param, server.address)
    yield client
    client.close()


def told_by(client, x=ROW, traced=False, **call):
    parameters = {"call": json.dumps(call)}
    if traced:
        parameters["traced"] = True
    return json.loads(client.infer("outer", {"x": x}, request_id="outer's", parameters=parameters).as_numpy("told").item())


def test_what_goes_with_a_call(client):
    told = told_by(
        client, request_id="a", correlation_id="c-4", flags=3, timeout=50_000_000, requested_output_names=["told"],
        parameters={"top": 5, "who": "me", "sure": True, "half": 0.25, "one": 1.0}, priority=2,
    )  # fmt: skip
    assert told["names"] == ["told"] and told["parameters"] == {"cost": 7, "by": "inner", "half": 0.5}
    assert told["told"] == [{
        "id": "a", "correlation": "c-4", "flags": 3, "outputs": ["told"], "timeout": 50_000_000, "priority": 2,
        "parameters": {"top": 5, "who": "me", "sure": True, "half": 0.25, "one": 1.0}, "trace": None,
    }]  # fmt: skip
    plain = told_by(client, correlation_id=2**64 - 1)["told"][0]
    assert plain["id"] == "" and plain["correlation"] == 2**64 - 1 and plain["parameters"] == {}
    assert plain["outputs"] == ["told", "other"]


def test_a_trace_goes_where_it_is_handed_on(server):
    for traced, expected in [(True, [json.dumps({"traceparent": TRACE})]), (False, [None])]:
        parameters = {"call": "{}", **({"traced": True} if traced else {})}
        body = {
            "inputs": [{"name": "x", "shape": [4], "datatype": "FP32", "data": ROW.tolist()}], "parameters": parameters,
        }  # fmt: skip
        headers = {"Content-Type": "application/json", "traceparent": TRACE}
        status, reply, _ = server.request("POST", "/v2/models/outer/infer", json.dumps(body).encode(), headers)
        assert status == 200, reply
        told = json.loads(json.loads(reply)["outputs"][0]["data"][0])
        assert [inner["trace"] for inner in told["told"]] == expected


def test_an_output_that_the_model_leaves_out_is_missing(client):
    """For clients and for calls, as Triton has it."""
    result = client.infer("inner", {"x": ROW}, outputs=[client.output("told"), client.output("other")])
    assert result.as_numpy("other") is None and result.as_numpy("told") is not None
    assert client.infer("inner", {"x": -ROW}, outputs=[client.output("told")]).as_numpy("told") is None
    told = told_by(client, -ROW, requested_output_names=["told", "other"])
    assert told["names"] == [] and told["parameters"]["cost"] == 7
    with pytest.raises(InferenceServerException) as error:
        told_by(client, requested_output_names=["nothing"])
    clients.assert_error(error, "INVALID_ARGUMENT", "unexpected inference output 'nothing' for model 'inner'")


@pytest.mark.parametrize(
    ("call", "said"),
    [
        ({"correlation_id": 1.5}, "Correlation ID must be integer or string"),
        ({"timeout": -1}, "the timeout of an InferenceRequest is a whole number"),
        ({"parameters": {"a": [1]}}, "parameter 'a' of an InferenceRequest is no text, number or bool"),
        ({"parameters": {"a": 2**64}}, "more than 64 bits"),
    ],
)
def test_what_cant_go_with_a_call(client, call, said):
    with pytest.raises(InferenceServerException) as error:
        told_by(client, **call)
    clients.assert_error(error, "INTERNAL", "TritonModelException", said)


def test_answers_that_are_not_wanted_any_more(server, client):
    before = server.log().count("endless saw the cancellation")
    assert client.infer("reader", {"x": ROW}).as_numpy("y").tolist() == [1, 1, 0, 0]
    wait_until(lambda: server.log().count("endless saw the cancellation") > before, "the model sees it")


# Loading.

LOADER = """
    class TritonPythonModel:
        def execute(self, requests):
            return [self.one(json.loads(request.inputs()[0].as_numpy().item())) for request in requests]

        def one(self, todo):
            said = []
            for name, *arguments in todo:
                try:
                    said.append(getattr(pb_utils, name)(*arguments))
                except pb_utils.TritonModelException as error:
                    said.append(str(error))
            return pb_utils.InferenceResponse([pb_utils.Tensor("said", np.array([json.dumps(said)], dtype=np.object_))])
"""
TO_DO = """input [ { name: "todo" data_type: TYPE_STRING dims: [ 1 ] } ]
output [ { name: "said" data_type: TYPE_STRING dims: [ 1 ] } ]"""
DOUBLE = """
    class TritonPythonModel:
        def execute(self, requests):
            return [pb_utils.InferenceResponse([pb_utils.Tensor("y", 2 * r.inputs()[0].as_numpy())]) for r in requests]
"""
# Has another model loaded before it serves, and asks it.
FIRST = """
    class TritonPythonModel:
        def initialize(self, args):
            assert not pb_utils.is_model_ready("OTHER")
            pb_utils.load_model(model_name="OTHER")
            assert pb_utils.is_model_ready("OTHER", "1") and not pb_utils.is_model_ready("OTHER", "2")

        def execute(self, requests):
            responses = []
            for request in requests:
                inner = pb_utils.InferenceRequest(
                    model_name="OTHER", inputs=[pb_utils.Tensor("x", request.inputs()[0].as_numpy())],
                    requested_output_names=["y"],
                )
                responses.append(inner.exec())
            return responses
"""


def repository(folder):
    add(folder, "loader", TO_DO, LOADER)
    add(folder, "double", FP32_4, DOUBLE)
    add(folder, "first", FP32_4, FIRST.replace("OTHER", "second"))
    add(folder, "second", FP32_4, FIRST.replace("OTHER", "double"))
    add(folder, "left", FP32_4, FIRST.replace("OTHER", "right"))
    add(folder, "right", FP32_4, FIRST.replace("OTHER", "left"))
    add(folder, "itself", FP32_4, FIRST.replace("OTHER", "itself"))
    return folder


def do(server, *todo):
    with contextlib.closing(clients.Client("http", server.address)) as client:
        todo = np.array([json.dumps(todo)], dtype=np.object_)
        return json.loads(client.infer("loader", {"todo": todo}).as_numpy("said").item())


def answer_of(server, model):
    with contextlib.closing(clients.Client("http", server.address)) as client:
        return client.infer(model, {"x": ROW}).as_numpy("y").tolist()


EXPLICIT = ("--model-control-mode", "explicit", "--load-threads", "1")


def test_models_are_loaded_and_unloaded(tmp_path):
    """With one thread that loads, all the more."""
    models = repository(tmp_path / "models")
    with servers.serving(tmp_path, models, *EXPLICIT, "--load-model", "loader") as server:
        assert do(server, ["is_model_ready", "double"], ["is_model_ready", "nobody"], ["is_model_ready", "loader"]) == [False, False, True]
        assert do(server, ["load_model", "double"], ["is_model_ready", "double"], ["is_model_ready", "double", "1"]) == [None, True, True]
        assert answer_of(server, "double") == (2 * ROW).tolist()
        said = do(server, ["unload_model", "double", True], ["is_model_ready", "double"], ["is_model_ready", "double", "x"])
        assert said[:2] == [None, False] and said[2].startswith("failed to get model version from specified version string 'x'")
        assert "failed to load 'nobody'" in do(server, ["load_model", "nobody"])[0]
        config = json.dumps({"backend": "python", "max_batch_size": 8, **SHAPES})
        assert do(server, ["load_model", "double", config], ["is_model_ready", "double"]) == [None, True]
        assert server.get_json("/v2/models/double/config")["max_batch_size"] == 8
        # It loads itself again, and answers meanwhile.
        assert do(server, ["load_model", "loader"], ["is_model_ready", "loader"]) == [None, True]


SHAPES = {
    "input": [{"name": "x", "data_type": "TYPE_FP32", "dims": [4]}],
    "output": [{"name": "y", "data_type": "TYPE_FP32", "dims": [4]}],
}


def test_files_that_code_gives_are_a_clients(tmp_path):
    """Python among them runs only where what clients send may."""
    models = repository(tmp_path / "models")
    given = """
    class TritonPythonModel:
        def initialize(self, args):
            config = json.dumps({"backend": "python", **CONFIG})
            code = "import triton_python_backend_utils as pb_utils\\n" + CODE
            for files in ({"1/model.py": b""}, {"file:1/model.py": "text"}, [1]):
                try:
                    pb_utils.load_model("made", config, files)
                    raise AssertionError("it was taken")
                except pb_utils.TritonModelException as error:
                    assert "failed to load model 'made', files" in str(error), error
            pb_utils.load_model(model_name="made", config=config, files={"file:1/model.py": code.encode()})

        def execute(self, requests):
            return [pb_utils.InferenceResponse([pb_utils.Tensor("y", r.inputs()[0].as_numpy())]) for r in requests]
    """
    given = given.replace("CONFIG", repr(SHAPES)).replace("CODE", repr(triton_repository.textwrap.dedent(DOUBLE)))
    add(models, "giver", FP32_4, given)
    with servers.serving(tmp_path, models, *EXPLICIT, "--load-model", "loader") as server:
        said = do(server, ["load_model", "giver"])[0]
        assert "--allow-model-code sent" in said, said
    (tmp_path / "log").rename(tmp_path / "log.before")
    with servers.serving(tmp_path, models, *EXPLICIT, "--load-model", "giver", "--allow-model-code", "sent") as server:
        assert answer_of(server, "made") == (2 * ROW).tolist()


def test_models_that_load_models_as_they_are_loaded(tmp_path):
    """One inside of the other, at the start of the server and later, with one thread that loads."""
    models = repository(tmp_path / "models")
    with servers.serving(tmp_path, models, *EXPLICIT, "--load-model", "first", "--load-model", "loader") as server:
        assert answer_of(server, "first") == (2 * ROW).tolist()
        assert do(server, *(["unload_model", name] for name in ("first", "second", "double"))) == [None] * 3
        assert do(server, ["load_model", "first"]) == [None]
        assert answer_of(server, "first") == (2 * ROW).tolist()


UNLOADS = """
    class TritonPythonModel:
        def initialize(self, args):
            pb_utils.load_model("double")
            pb_utils.unload_model("double")
            assert not pb_utils.is_model_ready("double")

        def execute(self, requests):
            return [pb_utils.InferenceResponse([pb_utils.Tensor("y", r.inputs()[0].as_numpy())]) for r in requests]
"""
PIPE = """platform: "ensemble" ensemble_scheduling { step [ { model_name: "double" model_version: -1
input_map { key: "x" value: "x" } output_map { key: "y" value: "y" } } ] }"""


def test_a_model_that_unloads_one_as_it_is_loaded(tmp_path):
    models = repository(tmp_path / "models")
    add(models, "unloads", FP32_4, UNLOADS)
    with servers.serving(tmp_path, models, *EXPLICIT, "--load-model", "loader") as server:
        assert do(server, ["load_model", "unloads"], ["is_model_ready", "unloads"]) == [None, True]
        assert answer_of(server, "unloads") == ROW.tolist()


def test_an_unload_of_the_model_that_asks_and_of_others(tmp_path):
    """It answers the request that it is in, and goes then."""
    models = repository(tmp_path / "models")
    (models / "pipe/1").mkdir(parents=True)
    (models / "pipe/config.pbtxt").write_text(PIPE + FP32_4)
    both = (["is_model_ready", "pipe"], ["is_model_ready", "double"])
    with servers.serving(tmp_path, models, *EXPLICIT, "--load-model", "loader") as server:
        assert do(server, ["load_model", "pipe"], *both) == [None, True, True]
        assert do(server, ["unload_model", "pipe"], *both) == [None, False, True]
        assert do(server, ["unload_model", "double"], ["load_model", "pipe"], ["unload_model", "pipe", True]) == [None] * 3
        wait_until(lambda: do(server, *both) == [False, False], "the member goes with its ensemble")
        assert "there is no model of that name" in do(server, ["unload_model", "nobody"])[0]
        assert do(server, ["unload_model", "loader"], ["is_model_ready", "loader"]) == [None, False]
        with pytest.raises(InferenceServerException):
            do(server, ["is_model_ready", "loader"])


def test_models_that_would_wait_for_each_other(tmp_path):
    models = repository(tmp_path / "models")
    with servers.serving(tmp_path, models, *EXPLICIT, "--load-model", "loader") as server:
        assert "model 'right' can't wait for model 'left' to be loaded" in do(server, ["load_model", "left"])[0]
        assert "can't load itself while it is loaded" in do(server, ["load_model", "itself"])[0]
        assert do(server, ["load_model", "double"]) == [None]


@pytest.mark.parametrize("mode", [(), ("--model-control-mode", "poll"), ("--model-control-mode", "none")])
def test_only_with_explicit_model_control(tmp_path, mode):
    models = tmp_path / "models"
    add(models, "loader", TO_DO, LOADER)
    with servers.serving(tmp_path, models, *mode) as server:
        said = do(server, ["load_model", "loader"], ["unload_model", "loader"], ["is_model_ready", "loader"])
        assert all("explicit model load / unload is not allowed if polling is enabled" in text for text in said[:2]), said
        assert said[2] is True
