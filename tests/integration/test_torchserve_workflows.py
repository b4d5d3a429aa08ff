"""TorchServe's workflows: archives of a graph of models and functions, registered by clients or served from the start."""

import json

import pytest

import archives
import servers
from torchserve_archives import VENV, pack, pack_workflow, write

# Says what it is and what it got, as an object.
TELLER = """
    import json

    class Teller:
        def initialize(self, context):
            self.name = context.manifest["model"]["modelName"]

        def handle(self, data, context):
            return [{self.name: self.told(row)} for row in data]

        def told(self, row):
            body = row.get("body")
            return {name: bytes(value).decode() for name, value in row.items()} if body is None else bytes(body).decode()
"""

# Fails as often as the body says, once for each worker.
FLAKY = """
    calls = 0

    def handle(data, context):
        global calls
        if data is None:
            return None
        calls += 1
        if calls <= int(bytes(data[0]["body"])):
            raise ValueError(f"call {calls} fails")
        return [f"call {calls}" for _ in data]
"""

SEQUENTIAL = """
    models:
      min-workers: 1
      max-workers: 2
      batch-size: 4
      max-batch-delay: 1
      retry-attempts: 0
      timeout-ms: 50000
      teller:
        url: teller.mar
        max-workers: 1

    dag:
      pre_processing: [teller]
      teller: [post_processing]
"""
SEQUENTIAL_HANDLER = """
    import json

    assert_context = None

    def pre_processing(data, context):
        if data is None:  # the call that begins it
            return None
        return [bytes(row.get("data") or row["body"]).decode() + "!" for row in data]

    def post_processing(data, context):
        if data is None:
            return None
        name = context.get_request_header(0, "x-user")
        return [{"said": json.loads(row["body"]), "by": name, "kind": type(row["body"]).__name__} for row in data]
"""

PARALLEL = """
    models:
      retry-attempts: 0
      a:
        url: teller.mar
      net:
        url: net.mar

    dag:
      pre_processing: [a, net]
      a: [aggregate]
      net: [aggregate]
"""
PARALLEL_HANDLER = """
    import json

    def pre_processing(data, context):
        return [json.dumps(json.loads(bytes(row["body"]))) for row in data] if data else None

    def aggregate(data, context):
        return [{name: json.loads(value) for name, value in sorted(row.items())} for row in data] if data else None
"""


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    folder = tmp_path_factory.mktemp("workflows")
    store = folder / "store"
    pack(folder, store, "teller", TELLER)
    pack(folder, store, "flaky", FLAKY)
    archives.write(store / "net.mar", archives.mar_files("net", "1.0", 3))
    pack_workflow(store, "chain", SEQUENTIAL, SEQUENTIAL_HANDLER)
    pack_workflow(store, "fan", PARALLEL, PARALLEL_HANDLER)
    return store


@pytest.fixture(scope="module")
def server(store, tmp_path_factory):
    with servers.serving(
        tmp_path_factory.mktemp("serving"), store, "--model-control-mode=explicit", "--python", VENV
    ) as server:
        yield server


BYTES = {"content-type": "application/octet-stream"}  # urllib calls whatever it sends a form


def ask(server, method, path, body=None, **headers):
    status, text, _ = server.request(method, path, body, BYTES | {k.replace("_", "-"): v for k, v in headers.items()})
    return status, json.loads(text)


def register(server, query, status=200):
    answer = ask(server, "POST", f"/workflows?{query}")
    assert answer[0] == status, answer
    return answer[1]


def served_models(server):
    return [one["modelName"] for one in ask(server, "GET", "/models")[1]["models"]]


@pytest.fixture
def served(server):
    """Registers workflows, and takes them away again."""
    names = []

    def begin(file, name=None):
        register(server, f"url={file}" + (f"&workflow_name={name}" if name else ""))
        names.append(name or file.removesuffix(".war"))

    yield begin
    for name in names:
        assert ask(server, "DELETE", f"/workflows/{name}")[0] == 200
    assert ask(server, "GET", "/workflows") == (200, {"workflows": []}) and served_models(server) == []


def test_nodes_that_follow_each_other(server, served):
    served("chain.war")
    status, body, headers = server.request("POST", "/wfpredict/chain", b"hello", {**BYTES, "x-user": "me"})
    assert status == 200 and headers["content-type"] == "application/json"
    told = json.loads(body)
    # What a function or a model gives is bytes to the next one.
    assert told == {"said": {"teller": "hello!"}, "by": "me", "kind": "bytearray"}
    form = ask(server, "POST", "/wfpredict/chain", b"data=hi", content_type="application/x-www-form-urlencoded")
    assert form[0] == 200 and form[1]["said"] == {"teller": "hi!"}
    assert sorted(served_models(server)) == ["chain__post_processing", "chain__pre_processing", "chain__teller"]
    teller = ask(server, "GET", "/models/chain__teller")[1][0]
    assert (teller["modelUrl"], teller["batchSize"], teller["maxWorkers"]) == ("teller.mar", 4, 1)
    # A node is asked by itself as well.
    assert server.request("POST", "/predictions/chain__pre_processing", b"x", BYTES)[1] == b"x!"


def test_nodes_side_by_side(server, served):
    served("fan.war", "mine")
    status, told = ask(server, "POST", "/wfpredict/mine", b"[1, 2, 3, 4]")
    assert status == 200 and told == {"a": {"teller": "[1, 2, 3, 4]"}, "net": [3.0, 6.0, 9.0, 12.0]}, told


def test_what_a_workflow_says_of_itself(server, served):
    served("chain.war")
    served("fan.war")
    assert ask(server, "GET", "/workflows/chain")[1] == [{
        "workflowName": "chain",
        "workflowUrl": "chain.war",
        "minWorkers": 1,
        "maxWorkers": 2,
        "batchSize": 4,
        "maxBatchDelay": 1,
        "workflowDag": "{pre_processing=[teller], teller=[post_processing]}",
    }]  # fmt: skip
    page = ask(server, "GET", "/workflows?limit=1")[1]
    assert page == {"nextPageToken": "1", "workflows": [{"workflowName": "chain", "workflowUrl": "chain.war"}]}
    assert ask(server, "GET", "/workflows?next_page_token=1")[1]["workflows"][0]["workflowName"] == "fan"


def test_a_node_is_asked_again(server, store, served):
    spec = "models:\n  flaky: {url: flaky.mar, retry-attempts: 2}\ndag:\n  flaky: []\n"
    pack_workflow(store, "again", spec, "\n")
    served("again.war")
    assert server.request("POST", "/wfpredict/again", b"2", BYTES)[:2] == (200, b"call 3")
    status, said = ask(server, "POST", "/wfpredict/again", b"100")
    assert (status, said["type"], said["message"]) == (500, "InternalServerException", "Error executing flaky")
    servers.wait_until(lambda: "call 6 fails" in server.log(), "why is logged")


def test_a_node_that_takes_too_long(server, store, served):
    handler = """
        import threading

        def wait(data, context):
            return [threading.Event().wait(2) for _ in data] if data else None
    """
    pack_workflow(store, "slow", "models: {retry-attempts: 0, timeout-ms: 50}\ndag: {wait: []}\n", handler)
    served("slow.war")
    status, said = ask(server, "POST", "/wfpredict/slow", b"")
    assert (status, said["message"]) == (500, "Error executing wait")
    servers.wait_until(lambda: "no answer within its timeout-ms of 50" in server.log(), "the log has the reason")


def test_several_answers(server, store, served):
    spec = "models:\n  a: {url: teller.mar}\n  b: {url: teller.mar}\ndag:\n  start: [a, b, c]\n"
    handler = "def start(data, context):\n    return data and [row['body'] for row in data]\n\n\ndef c(data, context):\n    return data and ['text']\n"
    pack_workflow(store, "leaves", spec, handler)
    served("leaves.war")
    status, told = ask(server, "POST", "/wfpredict/leaves", b"x")
    assert status == 200 and told == {"a": {"teller": "x"}, "b": {"teller": "x"}, "c": "text"}


@pytest.mark.parametrize(
    ("method", "path", "status", "kind", "message"),
    [
        ("POST", "/workflows", 400, "BadRequestException", "Parameter url is required."),
        ("POST", "/workflows?url=none.war", 404, "WorkflowNotFoundException", "Workflow not found in workflow store: none.war"),
        ("POST", "/workflows?url=../x.war", 404, "WorkflowNotFoundException", "Relative path is not allowed in url: ../x.war"),
        ("POST", "/workflows?url=http://127.0.0.1:1/x.war", 404, "WorkflowNotFoundException", "--allow-model-url"),
        ("POST", "/workflows?url=teller.mar", 400, "InvalidWorkflowException", "no workflow archive"),
        ("GET", "/workflows/none", 404, "WorkflowNotFoundException", "Workflow not found: none"),
        ("DELETE", "/workflows/none", 404, "WorkflowNotFoundException", "Workflow not found: none"),
        ("PUT", "/workflows/none", 405, "MethodNotAllowedException", ""),
        ("POST", "/wfpredict/none", 404, "WorkflowNotFoundException", "Workflow not found: none"),
    ],
)  # fmt: skip
def test_errors_are_its_own(server, method, path, status, kind, message):
    answer = ask(server, method, path)
    assert answer[0] == status and answer[1]["type"] == kind and message in answer[1]["message"], answer


def test_what_can_not_be_served_leaves_nothing(server, store):
    pack_workflow(store, "loop", "dag: {a: [b], b: [c], c: [b]}\n", "\n")
    assert register(server, "url=loop.war", 400)["type"] == "InvalidDAGException"
    pack_workflow(store, "lacks", "models: {m: {url: none.mar}}\ndag: {ok: [m, missing]}\n", "def ok(data, context):\n    return data\n")
    said = register(server, "url=lacks.war", 500)
    assert said["type"] == "WorkflowException"
    assert said["message"].startswith("Workflow lacks has failed to register. Failures: [")
    assert "lacks__m failed to register" in said["message"] and "none.mar" in said["message"]
    assert "lacks__missing failed to register" in said["message"] and "no function 'missing'" in said["message"]
    assert served_models(server) == [] and ask(server, "GET", "/workflows")[1] == {"workflows": []}


def test_one_name_is_registered_once(server, served):
    served("chain.war")
    said = register(server, "url=chain.war", 409)
    assert (said["type"], said["message"]) == ("ConflictStatusException", "Workflow chain is already registered.")
    assert ask(server, "POST", "/wfpredict/chain", b"hello")[0] == 200
    register(server, "url=chain.war&workflow_name=other")
    assert ask(server, "DELETE", "/workflows/other")[1] == {"status": 'Workflow "other" unregistered'}
    assert ask(server, "POST", "/wfpredict/other", b"x")[0] == 404


def test_folders_are_served_from_the_start(store, tmp_path):
    """And after a restart, whatever a client has unregistered."""
    folder = tmp_path / "own"
    for name in ("teller.mar", "net.mar", "fan.war"):
        folder.mkdir(exist_ok=True)
        (folder / name).write_bytes((store / name).read_bytes())
    for place in (folder, folder / "fan.war"):
        with servers.serving(tmp_path, place, "--python", VENV) as server:
            assert ask(server, "POST", "/wfpredict/fan", b"[1, 1, 1, 1]")[1]["net"] == [3.0] * 4
            assert ask(server, "GET", "/ping")[0] == 200
            assert ask(server, "DELETE", "/workflows/fan")[0] == 200
            assert ask(server, "POST", "/wfpredict/fan", b"[1]")[0] == 404
            register(server, "url=fan.war")
            assert ask(server, "POST", "/wfpredict/fan", b"[1, 1, 1, 1]")[0] == 200


def test_the_workflow_store_of_a_configuration(store, tmp_path):
    workflows = tmp_path / "workflows"
    pack_workflow(workflows, "there", "models: {net: {url: net.mar}}\ndag: {net: []}\n", "\n")
    file = write(tmp_path / "config.properties", f"model_store={store}\nworkflow_store={workflows}\n")
    with servers.serving(tmp_path, "--ts-config", file, "--python", VENV) as server:
        assert ask(server, "GET", "/workflows")[1] == {"workflows": []}
        register(server, "url=there.war")
        assert ask(server, "POST", "/wfpredict/there", b"[1, 1, 1, 1]", content_type="application/json") == (200, [3.0] * 4)
        register(server, "url=none.war", 404)


def test_keys_of_workflows(store, tmp_path):
    keys = tmp_path / "keys.json"
    options = ["--model-control-mode=explicit", "--torchserve-key-file", keys, "--python", VENV]
    with servers.serving(tmp_path, store, *options) as server:
        key = {name: {"authorization": f"Bearer {one['key']}"} for name, one in json.loads(keys.read_text()).items()}
        assert server.request("POST", "/workflows?url=fan.war", None, key["inference"])[0] == 400
        assert server.request("POST", "/workflows?url=fan.war", None, key["management"])[0] == 200
        assert server.request("POST", "/wfpredict/fan", b"[1, 1, 1, 1]", BYTES | key["management"])[0] == 400
        assert server.request("POST", "/wfpredict/fan", b"[1, 1, 1, 1]", BYTES | key["inference"])[0] == 200
