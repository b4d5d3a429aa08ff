"""A model.py of Triton's with an is_ready() of its own: readiness is what it says, and requests are served all the same."""

import numpy as np
import pytest

import clients
import triton_repository
from servers import wait_until

# What is_ready() does stands in a file.
CODE = """
import asyncio, pathlib, time

class TritonPythonModel:
    {method} is_ready(self):
        word = pathlib.Path({file!r}).read_text()
        if word == "raise":
            raise OSError("the feature store is away")
        while word == "hang" and pathlib.Path({file!r}).read_text() == word:
            time.sleep(0.01)
        return {{"yes": True, "no": False}}.get(word, word)

    def execute(self, requests):
        return [pb_utils.InferenceResponse([pb_utils.Tensor("y", pb_utils.get_input_tensor_by_name(r, "x").as_numpy())])
                for r in requests]
"""


def is_ready(server):
    return server.get("/v2/models/doubts/ready")[0] == 200


def reason(server):
    status, models = server.post_json("/v2/repository/index", {})
    if status != 200:
        return ""
    return "".join(model.get("reason", "") for model in models if model.get("state") == "UNAVAILABLE")


@pytest.mark.parametrize(("method", "policy"), [("def", ""), ("async def", "model_transaction_policy { decoupled: true }")])
def test_what_it_says_counts(serve, tmp_path, method, policy):
    file = tmp_path / "word"
    file.write_text("no")
    code = CODE.format(method=method, file=str(file))
    triton_repository.add(tmp_path / "models", "doubts", f"{triton_repository.FP32_4} {policy}", code)
    server = serve(tmp_path / "models", check_ready=False)
    # From the first moment on.
    wait_until(lambda: "is_ready() returned False" in reason(server), "it is not ready")
    assert not is_ready(server)
    for word, said in (
        ("yes", ""), ("raise", "is_ready() raised OSError: the feature store is away"), ("yes", ""),
        ("maybe", "is_ready() returned str, not bool"), ("yes", ""), ("hang", "has not returned for 5 s"), ("yes", ""),
    ):  # fmt: skip
        file.write_text(word)
        wait_until(lambda word=word: is_ready(server) == (word == "yes"), f"it says {word}")
        wait_until(lambda said=said: said in reason(server), f"'{said}' is the reason")
        wait_until(lambda word=word: (server.get("/v2/health/ready")[0] == 200) == (word == "yes"), "the server is so too")
        wait_until(lambda said=said: said in server.log(), "it is logged")
    server.stop()


def test_requests_are_served_all_the_same(serve, tmp_path):
    file = tmp_path / "word"
    file.write_text("no")
    triton_repository.add(tmp_path / "models", "doubts", triton_repository.FP32_4, CODE.format(method="def", file=str(file)))
    server = serve(tmp_path / "models", check_ready=False)
    client = clients.Client("grpc", server.address)
    row = np.arange(4, dtype=np.float32)
    wait_until(lambda: "is_ready() returned False" in reason(server), "it is not ready")
    assert not is_ready(server)
    assert (client.infer("doubts", {"x": row}).as_numpy("y") == row).all()
    client.close()
    server.stop()
