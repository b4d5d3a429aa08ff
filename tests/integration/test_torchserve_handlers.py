"""Handlers written for TorchServe, out of archives as its own archiver packs them. None of these needs torch."""

import json
import re
import zipfile

import grpc
import numpy as np
import pytest
import tritonclient.grpc as triton
from tritonclient.grpc import service_pb2, service_pb2_grpc
from tritonclient.utils import deserialize_bytes_tensor, serialize_byte_tensor

import servers
import torchserve_protos
from servers import run_cli
from torchserve_archives import VENV, pack, run, write

ECHO = """
    import os
    from ts.utils.util import PredictionException

    class Echo:
        def initialize(self, context):
            self.context = context
            self.words = open("words.txt").read().split()  # of the archive's folder, which is the current one
            assert os.path.samefile(context.system_properties["model_dir"], ".")

        def handle(self, data, context):
            assert context is self.context and context.manifest["model"]["modelName"] == "echo"
            rows = [row.get("data") or row.get("body") for row in data]
            if b"fail" in rows:
                raise ValueError("the handler fell over")
            if b"refuse" in rows:
                raise PredictionException("nothing for you", 404)
            if b"own" in rows:
                raise PredictionException("a status of its own", 513)
            if b"object" in rows:
                return [object()]
            return [self.answer(at, row) for at, row in enumerate(rows)]

        def answer(self, at, row):
            context = self.context
            if row == b"headers":
                context.set_response_content_type(at, "application/x-mine")
                context.set_response_header(at, "x-more", "yes")
                context.set_response_status(206, "Partial", at)
                return context.get_request_header(at, "X-User")
            if row == b"gone":
                context.set_response_status(410, "Gone", at)
                return "it went"
            if row == b"id":
                return context.get_request_id(at)
            if row == b"words":
                return self.words
            return bytes(row) if isinstance(row, (bytes, bytearray)) else row
"""

FUNCTION = """
    model = None

    def serve(data, context):
        global model
        if data is None:  # the call that loads it
            model = context.model_yaml_config["greetings"]["word"]
            return None
        context.metrics.add_counter("Greetings", len(data))
        context.metrics.add_time("GreetingTime", 1.5, None, "ms")
        context.metrics.add_metric("Sizes", 4, "bytes", dimensions=[])
        return [f"{model} {bytes(row['body']).decode()} of {len(data)}" for row in data]
"""

SHORT = """
    def handle(data, context):
        return ["one too many"] * (len(data) + 1) if data else None
"""

STREAM = """
    from ts.handler_utils.utils import send_intermediate_predict_response

    class Stream:
        def handle(self, data, context):
            for number in range(int(data[0]["body"])):
                send_intermediate_predict_response([f"part {number}"], context.request_ids, "", 200, context)
            return ["last"]
"""

ASYNC = """
    import asyncio

    class Async:
        async def initialize(self, context):
            self.turn = asyncio.Lock()  # of the loop that runs now
            await asyncio.sleep(0)
            self.before = asyncio.ensure_future(asyncio.sleep(0, "begun before"))

        async def handle(self, data, context):
            async with self.turn:
                return [await self.before for _ in data]
"""

SEQUENCE = """
    sums = {}

    def handle(data, context):
        if data is None:
            return None
        answers = []
        for at, row in enumerate(data):
            id = context.get_sequence_id(at)
            if context.get_request_header(at, context.header_key_sequence_start):
                sums[id] = 0
            sums[id] += int(bytes(row["data"]))
            answers.append(f"{id} {sums[id]}")
        return answers
"""

EXPLAIN = """
    def handle(data, context):
        if data is None:
            return None
        if context.get_request_header(0, "describe") == "True":
            assert len(data) == 1
            return [{"layers": 3, "asked by": context.get_request_header(0, "x-user")}]
        return [context.get_request_header(at, "explain") for at in range(len(data))]
"""

RAW = """
    def handle(data, context):
        return [type(row["body"]).__name__ for row in data] if data else None
"""

ENVELOPED = """
    class Sum:
        def handle(self, data, context):
            return [sum(row["data"]) for row in data]
"""

# Envelopes as the worker puts them around a handler that doubles what it gets.
ENVELOPES = """
    import sys
    from types import SimpleNamespace
    sys.path.insert(0, sys.argv[1])
    from modelmill.worker.flavours import torchserve
    torchserve.import_ts()
    context = SimpleNamespace(
        get_request_header=lambda idx, key: "False", manifest={"model": {"modelName": "m", "modelVersion": "1"}}
    )

    def call(name, *bodies):
        double = lambda data, _: [row * 2 if isinstance(row, int) else [2 * x for x in row["data"]] for row in data]
        return torchserve._enveloped(name, double)([{"body": body} for body in bodies], context)

    assert call("body", 3, 4) == [6, 8]
    assert call("json", {"instances": [1, 2]}, b'{"instances": [3]}') == [{"predictions": [2, 4]}, {"predictions": [6]}]
    first, second = call("kservev2", {"id": "a", "inputs": [{"data": [1, 2]}]}, {"inputs": [{"data": [0.5]}]})
    assert first["outputs"] == [{"name": "predict", "shape": [2], "datatype": "INT64", "data": [2, 4]}]
    assert (first["id"], first["model_name"], first["model_version"]) == ("a", "m", "1")
    assert second["outputs"] == [{"name": "predict", "shape": [1], "datatype": "FP64", "data": [1]}]
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("torchserve")
    store = folder / "store"
    words = write(folder / "words.txt", "one two")
    pack(folder, store, "echo", ECHO, files=[words])
    handler = write(folder / "function/greet.py", FUNCTION)
    config = write(
        folder / "config.yaml", "batchSize: 8\nmaxBatchDelay: 1000\nminWorkers: 1\nresponseTimeout: 50\ngreetings: {word: hello}\n"
    )
    pack(folder, store, "greet", f"{handler.with_suffix(str())}:serve", config_file=config)
    pack(folder, store, "short", SHORT)
    pack(folder, store, "stream", STREAM)
    pack(folder, store, "explain", EXPLAIN)
    one = write(folder / "one.yaml", "minWorkers: 1\nmaxWorkers: 1\n")
    pack(folder, store, "sequence", SEQUENCE, config_file=one)
    pack(folder, store, "async", ASYNC)
    pack(folder, store, "raw", RAW)
    with zipfile.ZipFile(pack(folder, store, "sums", ENVELOPED)) as packed:
        packed.extractall(folder / "unpacked")
    yaml = write(folder / "modelmill.yaml", f"""
        models:
          - path: {store}/echo.mar
          - path: {store}/greet.mar
          - path: {store}/short.mar
          - path: {store}/stream.mar
          - path: {store}/explain.mar
          - path: {store}/sequence.mar
          - path: {store}/async.mar
          - path: {store}/raw.mar
            parameters: {{decode_input_request: "false"}}
          - path: {folder}/unpacked
            parameters: {{service_envelope: kserve}}
    """)
    with servers.serving(folder, yaml, "--python", VENV) as server:
        yield server


def ask(server, model, *bodies, **parameters):
    """(outputs, parameters of the answer). Triton's client would not send `headers`."""
    request = service_pb2.ModelInferRequest(model_name=model)
    request.inputs.add(name="data", datatype="BYTES", shape=[len(bodies)])
    texts = [body if isinstance(body, bytes) else json.dumps(body).encode() for body in bodies]
    request.raw_input_contents.append(serialize_byte_tensor(np.array(texts, object)).item())
    for name, value in parameters.items():
        kind = "bool_param" if isinstance(value, bool) else "string_param"
        setattr(request.parameters[name], kind, value)
    with grpc.insecure_channel(server.address) as channel:
        answer = service_pb2_grpc.GRPCInferenceServiceStub(channel).ModelInfer(request, timeout=60)
    said = {name: value.string_param for name, value in answer.parameters.items()}
    return [bytes(value) for value in deserialize_bytes_tensor(answer.raw_output_contents[0])], said


def refusal(server, model, *bodies, **parameters):
    """(code, message)."""
    with pytest.raises(grpc.RpcError) as error:
        ask(server, model, *bodies, **parameters)
    return error.value.code().name, error.value.details()


def test_a_class_with_handle(server):
    (answer,), said = ask(server, "echo", b"\x00\xff")
    assert answer == b"\x00\xff" and said["content_type"] == "application/octet-stream"
    (answer,), said = ask(server, "echo", {"a": [1]})
    assert json.loads(answer) == {"a": [1]} and said["content_type"] == "application/json"
    (answer,), _ = ask(server, "echo", b"words")
    assert json.loads(answer) == ["one", "two"]
    assert ask(server, "echo", b"text that has [no] JSON")[0] == [b"text that has [no] JSON"]


def test_any_dialect_reaches_it(server):
    status, body = server.post_json("/predict/echo", {"data": ["abc"]})
    assert status == 200 and body == {"output": ["abc"]}, body


def test_bodies_by_their_type(server):
    assert ask(server, "echo", b"5", content_type="application/json", headers="{}")[0] == [b"5"]
    assert ask(server, "echo", "größe".encode("latin-1"), content_type="text/plain; charset=latin-1")[0] == ["größe".encode()]
    assert ask(server, "echo", b"[5]", headers="{}")[0] == [b"[5]"]
    form = b"--b1\r\nContent-Disposition: form-data; name=\"data\"; filename=\"x\"\r\n\r\n\r\n--b\r\n\x00\r\n--b1--\r\n"
    assert ask(server, "echo", form, content_type="multipart/form-data; boundary=b1")[0] == [b"\r\n--b\r\n\x00"]
    assert ask(server, "echo", b"data=a%20b&x=1", content_type="application/x-www-form-urlencoded")[0] == [b"a b"]
    assert json.loads(ask(server, "echo", b'{"a": 1}', content_type="application/x-www-form-urlencoded")[0][0]) == {"a": 1}
    assert ask(server, "echo", b"", query='{"data": "of the URL"}', headers="{}")[0] == [b"of the URL"]
    # What isn't what it is called comes as it is, as there.
    assert ask(server, "echo", b"{", content_type="application/json")[0] == [b"{"]
    assert ask(server, "echo", b"\xff", content_type="text/plain")[0] == [b"\xff"]
    code, text = refusal(server, "echo", form[:-8], content_type="multipart/form-data; boundary=b1")
    assert code == "INVALID_ARGUMENT" and "cut off" in text


def test_bodies_that_are_not_decoded(server):
    for content_type in ("application/json", "text/plain", "application/octet-stream"):
        assert ask(server, "raw", b"[1]", content_type=content_type)[0] == [b"bytearray"], content_type
    assert ask(server, "raw", b"[1]")[0] == [b"bytearray"]


def test_context_has_headers_and_status(server):
    (answer,), said = ask(server, "echo", b"headers", headers=json.dumps({"x-user": "me"}))
    assert answer == b"me"
    assert said == {"content_type": "application/x-mine", "status": "206", "headers": '{"x-more": "yes"}'}
    (answer,), said = ask(server, "echo", b"gone", headers="{}")
    assert answer == b"it went" and said["status"] == "410"
    assert refusal(server, "echo", b"gone") == ("INVALID_ARGUMENT", "it went")
    assert len(ask(server, "echo", b"id")[0][0]) == 36


def test_sequences_of_a_stream(server, tmp_path):
    with grpc.insecure_channel(server.address) as channel:
        service = f"{torchserve_protos.INFERENCE}.InferenceAPIsService"
        stub = torchserve_protos.Stub(channel, service, torchserve_protos.messages(tmp_path))
        asked = [
            {"model_name": "sequence", "sequence_id": id, "input": {"data": b"%d" % number, **start}}
            for start, numbers in [({"ts_request_sequence_start": b"true"}, [1]), ({}, range(2, 9))]
            for number in numbers
            for id in ("a", "b")
        ]
        told = stub.stream("StreamPredictions2", "PredictionsRequest", "PredictionResponse", asked)
    for id in ("a", "b"):
        answers = [one.prediction.decode() for one in told if one.sequence_id == id]
        assert answers == [f"{id} {n * (n + 1) // 2}" for n in range(1, 9)]


def test_errors(server):
    code, text = refusal(server, "echo", b"fail")
    assert code == "INTERNAL" and "ValueError: the handler fell over" in text
    servers.wait_until(lambda: "raise ValueError(" in server.log(), "the traceback is logged")
    assert "echo_handler.py" in server.log()
    assert refusal(server, "echo", b"refuse") == ("NOT_FOUND", "nothing for you")
    assert refusal(server, "echo", b"own") == ("INTERNAL", "a status of its own")
    _, said = ask(server, "echo", b"own", headers="{}")
    assert said["status"] == "513" and said["error"] == "a status of its own"
    code, text = refusal(server, "echo", b"object")
    assert code == "INTERNAL" and "object is neither bytes, text nor JSON" in text
    code, text = refusal(server, "short", b"x")
    assert code == "INTERNAL" and "2 answers to a batch of 1" in text


def test_batches_and_model_config(server):
    """Requests that come within maxBatchDelay are one call, as far as batchSize allows."""
    config = server.get_json("/v2/models/greet/config")
    assert config["max_batch_size"] == 8
    assert config["dynamic_batching"]["max_queue_delay_microseconds"] == 1_000_000
    assert config["parameters"]["execution_timeout_s"]["string_value"] == "50"
    assert server.get_json("/v2/models/echo/config")["max_batch_size"] == 1
    assert ask(server, "greet", b"you", b"me")[0] == [b"hello you of 2", b"hello me of 2"]

    def answers_to_eight():
        with triton.InferenceServerClient(server.address) as client:
            data = triton.InferInput("data", [1], "BYTES")
            data.set_data_from_numpy(np.array([b"all"], object))
            under_way = []
            for _ in range(8):
                client.async_infer("greet", [data], lambda result, error: under_way.append(error or result))
            servers.wait_until(lambda: len(under_way) == 8, "all are answered")
        return {bytes(answer.as_numpy("output")[0]) for answer in under_way}

    # Again where this machine took longer than that to send them.
    servers.wait_until(lambda: answers_to_eight() == {b"hello all of 8"}, "eight at once are one call")


def test_metrics(server):
    ask(server, "greet", b"x")
    before = series(server, "Greetings_total")
    ask(server, "greet", b"x", b"y")
    servers.wait_until(lambda: series(server, "Greetings_total") >= before + 2, "the counter has grown by two")
    assert series(server, "GreetingTime") == 1.5
    assert series(server, "PredictionTime") > 0
    assert 'ModelName="greet"' in server.get("/metrics")[1].decode()


def series(server, name):
    found = re.search(rf'^{name}{{model="greet".*}} (\S+)$', server.get("/metrics")[1].decode(), re.MULTILINE)
    return float(found.group(1)) if found else 0


def test_streams(server):
    body = json.dumps({"data": ["3"]}).encode()
    status, reply, _ = server.request("POST", "/v2/models/stream/generate_stream", body)
    assert status == 200, reply
    events = [json.loads(line[5:]) for line in reply.decode().split("\n") if line.startswith("data:")]
    answers = [np.ravel(event["output"]).tolist() for event in events if "output" in event]
    assert answers == [["part 0"], ["part 1"], ["part 2"], ["last"]], events


def test_explanations(server):
    assert ask(server, "explain", b"x")[0] == [b"False"]
    assert ask(server, "explain", b"x", explain=True)[0] == [b"True"]


def test_descriptions_of_their_own(server):
    described = json.loads(server.request("GET", "/models/explain?customized=true", None, {"X-User": "ann"})[1])[0]
    assert described["customizedMetadata"] == {"layers": 3, "asked by": "ann"} and described["modelName"] == "explain"
    assert "customizedMetadata" not in server.get_json("/models/explain")[0]
    assert server.get_json("/models/greet")[0]["responseTimeout"] == 50
    # Only what is invoked is an inference.
    status, body, _ = server.request("POST", "/models/echo/invoke", b"words", {"content-type": "application/x-words"})
    assert (status, json.loads(body)) == (200, ["one", "two"])
    status, body, _ = server.request("POST", "/invocations?model_name=echo", b"words", {"content-type": "application/x-words"})
    assert (status, json.loads(body)) == (200, ["one", "two"])


def test_async_handlers_have_one_loop(server):
    for _ in range(3):
        assert ask(server, "async", b"x")[0] == [b"begun before"]


def test_envelopes(server):
    (answer,), _ = ask(server, "sums", {"instances": [{"data": [1, 2]}, {"data": [3]}]})
    assert json.loads(answer) == {"predictions": [3, 3]}
    (answer,), _ = ask(server, "sums", {"instances": [{"data": [1, 2]}]}, explain=True)
    assert json.loads(answer) == {"explanations": [3]}
    code, text = refusal(server, "sums", {"rows": []})
    assert code == "INVALID_ARGUMENT" and '{"instances": [...]}' in text


def test_envelopes_of_each_kind(tmp_path):
    run(tmp_path, ENVELOPES, servers.ROOT / "python")


def test_requirements(serve, tmp_path):
    """A .tar.gz, whose packages come from a folder of wheels."""
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    with zipfile.ZipFile(wheels / "seven-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("seven.py", "VALUE = 7\n")
        wheel.writestr("seven-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: seven\nVersion: 1.0\n")
        wheel.writestr("seven-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr("seven-1.0.dist-info/RECORD", "seven.py,,\n")
    needs = write(tmp_path / "needs.txt", "seven==1.0\n")
    code = "\nimport seven\ndef handle(data, context):\n    return [str(seven.VALUE)] * len(data) if data else None\n"
    archive = pack(tmp_path, tmp_path / "store", "needs", code, requirements_file=needs, archive_format="tgz")
    env = {"XDG_CACHE_HOME": str(tmp_path / "cache")}
    server = serve(archive, "--python", VENV, "--python-wheels", wheels, env=env)
    assert ask(server, "needs", b"")[0] == [b"7"]
    server.stop()


@pytest.mark.parametrize(
    ("handler", "words"),
    [
        ("\nimport nowhere\n", "No module named 'nowhere'"),
        ("\nclass Empty:\n    pass\n", "a function 'handle', or one class with a method 'handle'"),
        ("\nclass A:\n    def handle(self): pass\nclass B:\n    def handle(self): pass\n", "it has A, B"),
        ("\ndef handle(data, context):\n    raise RuntimeError('no model here')\n", "no model here"),
    ],
)
def test_what_is_wrong_with_a_handler_is_told(tmp_path, handler, words):
    archive = pack(tmp_path, tmp_path / "store", "wrong", handler)
    result = run_cli("serve", archive, "--port", 0, "--python", VENV)
    assert result.returncode == 1 and words in result.stderr and "model 'wrong'" in result.stderr, result.stderr


def test_a_wrong_configuration_is_told(tmp_path):
    config = write(tmp_path / "config.yaml", "minWorkers: few\n")
    archive = pack(tmp_path, tmp_path / "store", "wrong", SHORT, config_file=config)
    result = run_cli("lint", archive)
    assert result.returncode == 1 and "config.yaml:1:13: error: 'minWorkers' must be a whole number" in result.stdout, result.stdout
