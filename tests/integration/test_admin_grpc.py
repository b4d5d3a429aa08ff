"""Administration by gRPC: what HTTP says and does, by the services that /protos and reflection publish."""

import json
import subprocess

import grpc
import pytest
import servers
from changing_models import write_versions
from google.protobuf import descriptor_pb2, json_format, message_factory
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from servers import wait_until

PACKAGE = "modelmill.admin.v1"
SERVICES = {f"{PACKAGE}.{name}" for name in ("Models", "Routes", "Rollouts", "Experiments", "Ensembles")}
ROUTE = {
    "split": {"m@1": 75.5, "m@2": 24.5},
    "rules": [{"when": "header:x-tier", "is": "gold", "to": "m@2"}, {"when": "cookie:beta", "to": "m@2"}],
    "sticky": "header:x-user-id",
    "salt": "s",
    "fallback": {
        "to": ["m@1"],
        "answer": {"outputs": [{"name": "y", "datatype": "FP32", "shape": [1, 4], "data": [0.5, 1, 2, 3]}]},
        "on": ["error", "timeout"],
        "timeout": "200ms",
    },
    "breaker": {"failures": 3, "open": "1s", "probes": 1},
    "shadow": [
        {"target": "m@2", "share": "100%", "of": "m@1", "examples": 3, "compare": {"*": {"kind": "tolerance", "absolute": 0}}}
    ],
}


@pytest.fixture
def repository(tmp_path):
    """The model m, of which version n multiplies by n; versions 1 and 2."""
    return write_versions(tmp_path / "models", "m", 1, 2)


@pytest.fixture
def server(tmp_path, repository):
    with servers.serving(tmp_path, repository, f"--state-dir={tmp_path / 'state'}") as running:
        yield running


class Admin:
    """The services, made from the file that the server publishes."""

    def __init__(self, server, folder, channel, metadata=()):
        self.server = server
        source = server.get("/protos/modelmill_admin.proto")[1]
        (folder / "modelmill_admin.proto").write_bytes(source)
        made = folder / "set"
        command = ["protoc", f"-I{folder}", "--include_imports", f"--descriptor_set_out={made}", "modelmill_admin.proto"]
        subprocess.run(command, check=True)
        found = descriptor_pb2.FileDescriptorSet.FromString(made.read_bytes())
        self.channel, self.metadata = channel, metadata
        self.messages = message_factory.GetMessages(list(found.file))
        [file] = [file for file in found.file if file.package == PACKAGE]
        self.methods = {}
        for service in file.service:
            for method in service.method:
                path = f"/{PACKAGE}.{service.name}/{method.name}"
                self.methods[method.name] = (path, method.input_type[1:], method.output_type[1:])

    def __call__(self, method, **fields):
        path, asked, answer = self.methods[method]
        call = self.channel.unary_unary(
            path,
            request_serializer=lambda message: message.SerializeToString(),
            response_deserializer=self.messages[answer].FromString,
        )
        request = json_format.ParseDict(fields, self.messages[asked]())
        return call(request, timeout=60, metadata=self.metadata)

    def refused(self, method, **fields):
        with pytest.raises(grpc.RpcError) as error:
            self(method, **fields)
        return error.value.code(), error.value.details()


@pytest.fixture
def admin(server, tmp_path):
    with grpc.insecure_channel(server.address) as channel:
        yield Admin(server, tmp_path, channel)


def check_same(document, message, where=""):
    """Each member of the document is a field of the message, with its value; null is a field that is not set."""
    if isinstance(document, dict) and hasattr(message, "DESCRIPTOR"):
        if message.DESCRIPTOR.full_name.startswith("google.protobuf."):
            return check_same(document, json_format.MessageToDict(message), where)
        fields = {field.json_name: field for field in message.DESCRIPTOR.fields}
        for key, value in document.items():
            place = f"{where}.{key}"
            assert key in fields, f"{place} is not in {message.DESCRIPTOR.full_name}"
            if value is None:
                assert fields[key].message_type is None or not message.HasField(fields[key].name), place
            else:
                check_same(value, getattr(message, fields[key].name), place)
        return None
    if hasattr(message, "DESCRIPTOR"):
        message = json_format.MessageToDict(message)
    if isinstance(document, dict):
        assert set(document) == set(message), where
        for key, value in document.items():
            check_same(value, message[key], f"{where}[{key}]")
    elif isinstance(document, list):
        assert len(document) == len(message), where
        for i, (value, item) in enumerate(zip(document, message, strict=True)):
            check_same(value, item, f"{where}[{i}]")
    elif document in ("Infinity", "-Infinity") and not isinstance(message, str):
        assert message == float(document), where
    else:
        assert document == message, (where, document, message)
    return None


def check_told_alike(server, path, ask):
    """By HTTP and by gRPC, at a moment at which nothing changes what is told."""

    def moment():
        before = http(server, "GET", path)[1]
        message = ask()
        return http(server, "GET", path)[1] == before and (before, message)

    document, message = wait_until(moment, f"{path} stays as it is for a moment")
    check_same(document, message)
    return document, message


def http(server, method, path, body=None):
    status, answer, _ = server.request(method, f"/admin/{path}", None if body is None else json.dumps(body).encode())
    return status, json.loads(answer)


def ask(server, route, user):
    headers = {"Content-Type": "application/json", "x-user-id": str(user)}
    status, answer, _ = server.request("POST", f"/predict/{route}", b'{"x": [1, 2, 3, 4]}', headers)
    assert status == 200, answer


def test_the_services_are_published(server, admin):
    assert set(admin.methods) >= {"GetModel", "SetRoute", "GetRouteShadows", "StartRollout", "SendOutcomes"}
    with grpc.insecure_channel(server.address) as channel:
        stub = reflection_pb2_grpc.ServerReflectionStub(channel)
        asked = [reflection_pb2.ServerReflectionRequest(list_services="")]
        asked += [reflection_pb2.ServerReflectionRequest(file_containing_symbol=name) for name in SERVICES]
        listed, *files = stub.ServerReflectionInfo(iter(asked))
    assert {service.name for service in listed.list_services_response.service} >= SERVICES
    for one in files:
        names = {
            descriptor_pb2.FileDescriptorProto.FromString(text).name
            for text in one.file_descriptor_response.file_descriptor_proto
        }
        assert "modelmill_admin.proto" in names


def test_models(server, admin):
    assert dict(admin("SetLabel", model="m", label="stable", version=1).labels) == {"stable": 1}
    assert admin("SetDefaultVersion", model="m", version=1).default_version == 1
    check_told_alike(server, "models/m", lambda: admin("GetModel", model="m"))
    assert admin("DeleteDefaultVersion", model="m").default_version == 2
    assert dict(admin("DeleteLabel", model="m", label="stable").labels) == {}
    assert admin.refused("SetLabel", model="m", label="l", version=9)[0] != grpc.StatusCode.OK
    assert admin.refused("GetModel", model="x") == (grpc.StatusCode.NOT_FOUND, "there is no model named 'x'")


def test_a_route_is_set_and_told_of_as_by_http(server, admin):
    state = admin("SetRoute", route={"name": "typed", **ROUTE})
    assert http(server, "PUT", "routes/plain", ROUTE)[0] == 200
    one, other = (http(server, "GET", f"routes/{name}")[1]["route"] for name in ("typed", "plain"))
    one["name"] = other["name"] = ""
    assert list(one["split"].items()) in (list(other["split"].items()), list(other["split"].items())[::-1])
    assert one == other
    check_same(http(server, "GET", "routes/typed")[1], state)
    for user in range(40):
        ask(server, "typed", user)
    wait_until(
        lambda: sum(http(server, "GET", "routes/typed/shadow")[1]["shadow"][0][key] for key in ("compared", "shed")) > 10,
        "copies were compared",
    )
    _, shadows = check_told_alike(server, "routes/typed/shadow", lambda: admin("GetRouteShadows", name="typed"))
    assert shadows.shadow[0].examples and shadows.shadow[0].worst_distance == float("inf")
    check_told_alike(server, "routes", lambda: admin("ListRoutes"))
    assert not admin("DeleteRoute", name="typed").HasField("route")
    assert admin("UndoRoute", name="typed").changed.what == "undo"
    history = admin("GetRouteHistory", name="typed")
    check_same(http(server, "GET", "routes/typed/history")[1], history)
    assert [change.what for change in history.history] == ["undo", "delete", "set"]
    assert {change.by for change in history.history} == {"127.0.0.1"}


def test_rollouts(server, admin):
    plan = {
        "to": "2", "from_target": "1", "steps": "shadow:50@1h,10,100", "hold": "1h", "min_requests": 10,
        "gates": ["error_rate<=+0.5pp", "disagreement<=2%"], "compare": {"y": {"kind": "top_k", "k": 2}},
    }  # fmt: skip
    assert admin("StartRollout", name="m", plan=plan).state == "running"
    paused = admin("PauseRollout", name="m")
    assert paused.state == "paused" and paused.copies.cost and paused.shadow
    document, _ = check_told_alike(server, "rollouts/m", lambda: admin("GetRollout", name="m"))
    assert document["compare"] == {"y": {"kind": "top_k", "k": 2}} and document["from"] == "m@1"
    check_told_alike(server, "rollouts", lambda: admin("ListRollouts"))
    code, says = admin.refused("StartRollout", name="m", plan=plan)
    status, answer = http(server, "POST", "rollouts/m", {"to": 2})
    assert (code, status) == (grpc.StatusCode.FAILED_PRECONDITION, 400) and says == answer["error"]
    assert admin("ResumeRollout", name="m").state == "running"
    assert admin("AbortRollout", name="m").state == "aborted"
    assert admin("StartRollout", name="m", plan={"to": "2", "from_target": "1"}).number == 2
    assert admin("PromoteRollout", name="m").state == "promoted"
    check_told_alike(server, "rollouts/m/history", lambda: admin("GetRolloutHistory", name="m"))


def test_experiments(server, admin):
    assert http(server, "PUT", "routes/r", {"split": {"m@1": 50, "m@2": 50}, "sticky": "header:x-user-id"})[0] == 200
    plan = {"route": "r", "goal": "purchase", "guardrails": ["refund<=+0.5pp"], "window": "1h"}
    started = admin("StartExperiment", name="x", plan={**plan, "margin": 0.01, "min_users": 10, "users": 1000})
    assert started.state == "running" and started.definition.users == 1000
    for user in range(30):
        ask(server, "r", user)
    sent = [{"user": str(user), "value": user % 2, "id": "first"} for user in range(30)] + [{"user": "nobody"}]
    counts = admin("SendOutcomes", name="x", outcomes=sent)
    assert (counts.accepted, counts.unknown) == (30, 1)
    check_told_alike(server, "experiments/x", lambda: admin("GetExperiment", name="x"))
    check_told_alike(server, "experiments", lambda: admin("ListExperiments"))
    code, says = admin.refused("DeployExperiment", name="x")
    assert code == grpc.StatusCode.FAILED_PRECONDITION and "has no winner" in says
    deployed = admin("DeployExperiment", name="x", arm="m@2")
    assert (deployed.state, deployed.deployed, deployed.ended_by) == ("deployed", "m@2", "127.0.0.1")
    assert http(server, "GET", "routes/r")[1]["route"]["split"] == {"m@2": 100}
    assert admin.refused("StopExperiment", name="x")[0] == grpc.StatusCode.FAILED_PRECONDITION


def test_errors_are_those_of_http(server, admin):
    for method, fields, code, path in (
        ("GetRoute", {"name": "r"}, grpc.StatusCode.NOT_FOUND, "routes/r"),
        ("GetRollout", {"name": "m"}, grpc.StatusCode.NOT_FOUND, "rollouts/m"),
        ("GetExperiment", {"name": "x"}, grpc.StatusCode.NOT_FOUND, "experiments/x"),
    ):
        assert admin.refused(method, **fields) == (code, http(server, "GET", path)[1]["error"])
    code, says = admin.refused("SetRoute", route={"name": "r", "split": {"m@1": 60, "m@2": 30}})
    status, answer = http(server, "PUT", "routes/r", {"split": {"m@1": 60, "m@2": 30}})
    assert (code, status) == (grpc.StatusCode.INVALID_ARGUMENT, 400) and says == answer["error"]
    code, says = admin.refused("StartRollout", name="m", plan={"to": "2", "gates": ["p99<=fast"]})
    assert code == grpc.StatusCode.INVALID_ARGUMENT and "neither a factor" in says
    for method in ("GetRoute", "DeleteRoute", "AbortRollout", "StopExperiment"):
        code, says = admin.refused(method)
        assert code == grpc.StatusCode.INVALID_ARGUMENT and "set its name" in says


def test_changes_need_the_management_token(tmp_path, repository):
    state = tmp_path / "state"
    with servers.serving(tmp_path, repository, "--host=0.0.0.0", f"--state-dir={state}") as server:
        with grpc.insecure_channel(server.address) as channel:
            admin = Admin(server, tmp_path, channel)
            assert len(admin("ListRoutes").routes) == 0
            route = {"name": "r", "split": {"m@1": 100}}
            for method, fields in (
                ("SetRoute", {"route": route}),
                ("GetRouteShadows", {"name": "r"}),
                ("StartRollout", {"name": "m", "plan": {"to": "2"}}),
                ("SendOutcomes", {"name": "x"}),
                ("SetLabel", {"model": "m", "label": "l", "version": 1}),
            ):
                assert admin.refused(method, **fields)[0] == grpc.StatusCode.UNAUTHENTICATED, method
            token = (state / "token").read_text().strip()
            holder = Admin(server, tmp_path, channel, [("authorization", f"Bearer {token}")])
            assert dict(holder("SetRoute", route=route).route.split) == {"m@1": 100}
            assert [one.name for one in admin("ListRoutes").routes] == ["r"]
