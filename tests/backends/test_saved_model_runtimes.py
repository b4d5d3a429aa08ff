"""SavedModels that OpenVINO reads too: it takes part in the choice of the fastest, and runs them where TensorFlow isn't."""

import contextlib
import shutil

import numpy as np
import pytest

import servers
from clients import Client
from kit import assert_close
from stand import make_models

ROWS = np.random.default_rng(5).standard_normal((4, 64), np.float32)


@pytest.fixture
def kits(stand_of):
    return {backend: stand_of(backend).kit for backend in ("tensorflow", "openvino")}


@pytest.fixture
def serve(kits, tmp_path):
    """serve(MODEL, options...): a context with a client and the server of one model, in TensorFlow Serving's layout."""

    @contextlib.contextmanager
    def start(name, *options, env=None):
        folder = tmp_path / name
        if not folder.exists():
            shutil.copytree(make_models(kits["tensorflow"]) / name, folder)
        both = kits["tensorflow"].environment() | kits["openvino"].environment() | (env or {})
        arguments = [folder, "--state-dir", tmp_path / "state", *options]
        with servers.serving(tmp_path / "server", *arguments, env=both) as server:
            with contextlib.closing(Client("grpc", server.address)) as client:
                yield client, server

    return start


def compared(client, server, name, inputs):
    """What `explain` shows once the runtimes were compared, while requests go on."""

    def look():
        client.infer(name, inputs)
        found = server.get_json(f"/explain/{name}")
        return found if "runtimes" in found else None

    return servers.wait_until(look, "the runtimes were never compared", seconds=120)


def expected_of(stand, name, inputs):
    return stand.framework.answers(make_models(stand.kit) / name / "1", [inputs])[0]


def test_openvino_takes_part(serve, stand_of):
    stand = stand_of("tensorflow")
    model = stand.kit.model("mlp")
    expected = expected_of(stand, "mlp", {"x": ROWS})
    with serve("mlp") as (client, server):
        found = compared(client, server, "mlp", {"x": ROWS})
        candidates = found["runtimes"]["candidates"]
        assert {candidate["backend"] for candidate in candidates} == {"tensorflow", "openvino"}
        assert [candidate["excluded"] for candidate in candidates] == [""] * len(candidates)
        answer = client.infer("mlp", {"x": ROWS})
        assert_close(model, {"y": answer.as_numpy("y")}, expected)


@pytest.mark.parametrize("folder", ["mlp", "mlp.savedmodel"])
def test_without_tensorflow_it_runs_them(serve, stand_of, tmp_path, folder):
    stand = stand_of("tensorflow")
    expected = expected_of(stand, "mlp", {"x": ROWS})["y"]
    if folder != "mlp":  # the SavedModel's own folder, without one for the version
        shutil.copytree(make_models(stand.kit) / "mlp" / "1", tmp_path / folder)
    with serve(folder, env={"MODELMILL_TENSORFLOW": str(tmp_path / "nowhere")}) as (client, server):
        assert server.get_json("/explain/mlp")["backend"] == "openvino"
        np.testing.assert_allclose(client.infer("mlp", {"x": ROWS}).as_numpy("y"), expected, rtol=1e-4, atol=1e-5)
        asked = {"signature_name": "serving_default", "instances": ROWS.tolist()}
        status, answer = server.post_json("/v1/models/mlp:predict", asked)
        assert status == 200, answer
        np.testing.assert_allclose(answer["predictions"], expected, rtol=1e-4, atol=1e-5)
        status, answer = server.post_json("/v1/models/mlp:predict", asked | {"signature_name": "add"})
        assert status == 400 and '"add" not found' in answer["error"], answer


def test_all_signatures_stay(serve):
    x = np.float32([[1, 2], [3, 4]])
    with serve("signatures") as (client, server):
        found = compared(client, server, "signatures", {"x": x})
        reasons = {candidate["backend"]: candidate["excluded"] for candidate in found["runtimes"]["candidates"]}
        assert reasons["tensorflow"] == "" and "does not run the model's signature" in reasons["openvino"], reasons
        assert server.get_json("/explain/signatures")["backend"] == "tensorflow"


def test_it_may_be_asked_for(serve, stand_of):
    expected = expected_of(stand_of("tensorflow"), "cnn", inputs := {"image": np.ones((2, 28, 28, 1), np.float32)})
    with serve("cnn", "--runtime=openvino") as (client, server):
        assert server.get_json("/explain/cnn")["backend"] == "openvino"
        answer = client.infer("cnn", inputs).as_numpy("output_0")
        np.testing.assert_allclose(answer, expected["output_0"], rtol=1e-4, atol=1e-5)
