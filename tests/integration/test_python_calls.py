"""What Python models say to other models, and what they are told back."""

import json

import pytest
import python_workers
import servers
from servers import wait_until

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
MODELS = {
    "inner": """
        import json

        @modelmill.model(outputs={"told": str, "other": int})
        def inner(x: int, request: modelmill.Request):
            told = {name: getattr(request, name) for name in ("id", "parameters", "priority", "sequence", "traceparent")}
            return {"told": json.dumps(told), "other": x}
        """,
    "outer": """
        import json

        @modelmill.model(outputs={"told": str, "names": str})
        def outer(x: int, options: str = ""):
            how = modelmill.CallOptions(**json.loads(options)) if options else 0
            answer = modelmill.call("inner", how, x=x)
            return {"told": answer["told"].item().decode() if "told" in answer else "", "names": " ".join(answer)}
        """,
    "endless": """
        import time
        from typing import Iterator

        @modelmill.model
        def endless(x: int, request: modelmill.Request) -> Iterator[int]:
            while not request.cancelled:
                yield x
                time.sleep(0.01)
            print("endless saw the cancellation")
        """,
    "reader": """
        @modelmill.model
        def reader(x: int) -> int:
            seen = 0
            for answer in modelmill.stream("endless", x=x):
                seen += answer["output"].item()
                if seen >= 3 * x:
                    break
            return seen
        """,
}


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("calls")
    for name, code in MODELS.items():
        python_workers.write(folder / "models", name, code)
    with servers.serving(folder, folder / "models") as server:
        yield server


def ask(server, model, headers=(), **inputs):
    headers = {"content-type": "application/json", **dict(headers)}
    status, answer, _ = server.request("POST", f"/predict/{model}", json.dumps(inputs).encode(), headers)
    return status, json.loads(answer)


def told(server, options=None, headers=()):
    """(names of the outputs, what the inner model was told)"""
    status, answer = ask(server, "outer", headers, x=3, **({"options": json.dumps(options)} if options else {}))
    assert status == 200, answer
    return answer["names"], json.loads(answer["told"] or "null")


def test_a_call_has_what_its_request_has(server):
    names, got = told(server, headers={"x-request-id": "outer's", "traceparent": TRACE})
    assert names.split() == ["told", "other"]
    assert got == {"id": "outer's", "parameters": {}, "priority": 0, "sequence": None, "traceparent": TRACE}


def test_options_of_a_call(server):
    options = {
        "version": 1, "outputs": ["told"], "parameters": {"top": 5, "half": 0.5, "who": "me", "sure": True}, "priority": 2,
        "sequence": "s", "sequence_start": True, "id": "own", "traceparent": "", "queue_seconds": 50,
    }  # fmt: skip
    names, got = told(server, options, {"x-request-id": "outer's", "traceparent": TRACE})
    assert names == "told"
    assert got == {"id": "own", "parameters": options["parameters"], "priority": 2, "sequence": "s", "traceparent": ""}
    assert told(server, {"outputs": ["other"]}) == ("other", None)


@pytest.mark.parametrize(
    ("options", "status", "said"),
    [
        ({"outputs": ["nothing"]}, 400, "unexpected inference output 'nothing'"),
        ({"version": 7}, 404, "version 7"),
        ({"priority": -1}, 400, "the priority of the call is -1"),
        ({"traceparent": "00-1"}, 400, "is no traceparent"),
    ],
)
def test_options_that_cant_be(server, options, status, said):
    got, answer = ask(server, "outer", x=3, options=json.dumps(options))
    assert got == status and said in answer["error"], answer


def test_a_stream_that_is_left(server):
    """The model that gives it is told."""
    before = server.log().count("endless saw the cancellation")
    assert ask(server, "reader", x=2) == (200, {"output": 6})
    wait_until(lambda: server.log().count("endless saw the cancellation") > before, "the model sees it")
