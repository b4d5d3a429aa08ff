"""TorchServe's token authorization: its keys, its file, its refusals, and that no other protocol leads around it."""

import json
import stat
from pathlib import Path

import grpc
import pytest

import archives
import servers
import torchserve_protos
from servers import run_cli, wait_until
from torchserve_protos import INFERENCE, MANAGEMENT, Stub

FAILED = "Token Authorization failed. Token either incorrect, expired, or not provided correctly"
NOT_RENEWED = FAILED.replace("Authorization", "Authentication")
BODY = b"[1, 1, 1, 1]"
V2 = json.dumps({"inputs": [{"name": "x", "shape": [1, 4], "datatype": "FP32", "data": [1, 2, 3, 4]}]}).encode()


class Guarded:
    """A server and its file of keys."""

    def __init__(self, server, file):
        self.server, self.file = server, file

    def key(self, name):
        return json.loads(self.file.read_text())[name]["key"]

    def ask(self, method, path, key=None, body=None):
        """(status, body)."""
        headers = {} if key is None else {"Authorization": f"Bearer {key}"}
        status, text, _ = self.server.request(method, path, body, headers)
        return status, text.decode()

    def predict(self, key):
        return self.ask("POST", "/predictions/net", key, BODY)[0]


def serve(folder, *options):
    archives.write(folder / "store/net.mar", archives.mar_files("net", "1.0", 2))
    archives.write(folder / "store/other.mar", archives.mar_files("other", "1.0", 3))
    file = folder / "key_file.json"
    return file, servers.serving(
        folder, folder / "store", "--model-control-mode=explicit", "--load-model=net", "--torchserve-key-file", file, *options
    )


@pytest.fixture
def guarded(tmp_path):
    file, serving = serve(tmp_path)
    with serving as server:
        yield Guarded(server, file)
    assert not file.exists()


def refused(answer):
    status, text = answer
    return status == 400 and json.loads(text) == {"code": 400, "type": "InvalidKeyException", "message": FAILED}


def test_each_call_needs_its_key(guarded):
    assert stat.S_IMODE(guarded.file.stat().st_mode) == 0o600
    inference, management, renewal = (guarded.key(name) for name in ("inference", "management", "API"))
    assert guarded.predict(inference) == 200
    assert guarded.ask("GET", "/ping", inference)[0] == 200
    assert guarded.ask("GET", "/models/net", management)[0] == 200
    assert guarded.ask("POST", "/models?url=other.mar&initial_workers=1", management)[0] == 200
    for method, path, wrong in [
        ("POST", "/predictions/net", management),
        ("GET", "/ping", management),
        ("GET", "/models/net", inference),
        ("DELETE", "/models/net", inference),
        ("GET", "/torchserve/models", inference),
    ]:
        for key in (None, "abcd1234", wrong, renewal):
            assert refused(guarded.ask(method, path, key, BODY if method == "POST" else None)), (path, key)
    assert guarded.ask("OPTIONS", "/")[0] == guarded.ask("GET", "/torchserve/metrics")[0] == 200
    assert guarded.predict(inference) == 200


def test_no_other_protocol_leads_around_it(guarded):
    inference, management = guarded.key("inference"), guarded.key("management")
    for path, body in [("/v2/models/net/infer", V2), ("/predict/net", b"[[1,1,1,1]]"), ("/v1/models/net:predict", b'{"instances":[[1,1,1,1]]}')]:
        assert guarded.ask("POST", path, None, body)[0] == guarded.ask("POST", path, management, body)[0] == 401
        assert guarded.ask("POST", path, inference, body)[0] == 200
    assert guarded.ask("POST", "/v2/repository/models/net/unload", inference, b"")[0] == 401
    assert guarded.ask("GET", "/v2/models/net")[0] == 401
    assert guarded.ask("GET", "/v2/models/net", inference)[0] == guarded.ask("GET", "/v2/models/net", management)[0] == 200
    assert guarded.ask("GET", "/v2/health/live")[0] == 200


def test_keys_are_renewed(guarded):
    old = guarded.key("inference")
    for path, key in [
        ("/token?type=inference", None),
        ("/token?type=inference", old),
        ("/token?type=inference", guarded.key("management")),
        ("/token?type=other", guarded.key("API")),
        ("/token", guarded.key("API")),
    ]:
        status, text = guarded.ask("GET", path, key)
        assert status == 400 and json.loads(text)["message"] == NOT_RENEWED, path
    assert guarded.key("inference") == old
    management = guarded.key("management")
    assert guarded.ask("GET", "/token?type=inference", guarded.key("API")) == (200, "\n")
    assert guarded.key("inference") != old and guarded.key("management") == management
    assert guarded.predict(old) == 400 and guarded.predict(guarded.key("inference")) == 200
    assert guarded.ask("GET", "/token?type=management", guarded.key("API"))[0] == 200
    assert refused(guarded.ask("GET", "/models", management))
    assert guarded.ask("GET", "/models", guarded.key("management"))[0] == 200
    assert stat.S_IMODE(guarded.file.stat().st_mode) == 0o600


def test_keys_expire(tmp_path):
    file, serving = serve(tmp_path, "--torchserve-key-minutes=0.02")
    with serving as server:
        guarded = Guarded(server, file)
        wait_until(lambda: refused(guarded.ask("GET", "/models", guarded.key("management"))), "the key has expired")
        assert guarded.ask("GET", "/token?type=management", guarded.key("API"))[0] == 200


def test_grpc(guarded, tmp_path):
    messages = torchserve_protos.messages(tmp_path)
    with grpc.insecure_channel(guarded.server.address) as channel:

        def predict(key):
            metadata = () if key is None else (("protocol", "gRPC"), ("authorization", f"Bearer {key}"))
            stub = Stub(channel, f"{INFERENCE}.InferenceAPIsService", messages, metadata)
            return stub.call("Predictions", "PredictionsRequest", "PredictionResponse", model_name="net", input={"data": BODY})

        def models(key):
            stub = Stub(channel, f"{MANAGEMENT}.ManagementAPIsService", messages, (("authorization", f"Bearer {key}"),))
            return stub.call("ListModels", "ListModelsRequest", "ManagementResponse")

        assert json.loads(predict(guarded.key("inference")).prediction) == [2, 2, 2, 2]
        assert "net.mar" in models(guarded.key("management")).msg
        for call, key in [(predict, None), (predict, guarded.key("management")), (models, guarded.key("inference"))]:
            with pytest.raises(grpc.RpcError) as error:
                call(key)
            assert (error.value.code(), error.value.details()) == (grpc.StatusCode.PERMISSION_DENIED, FAILED)


def test_a_file_of_something_else_is_not_overwritten(tmp_path):
    file = Path(tmp_path / "notes.txt")
    file.write_text("mine")
    done = run_cli("serve", tmp_path, "--port=0", "--torchserve-key-file", file)
    assert done.returncode != 0 and str(file) in done.stderr and file.read_text() == "mine"
