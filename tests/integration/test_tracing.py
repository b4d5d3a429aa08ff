"""Spans of requests, as a collector of OpenTelemetry gets them, of all protocols and under all settings."""

import json
import re
import ssl

import numpy as np
import pytest

import clients
import models
import python_workers
import repositories
import servers
from certificates import Authority
from clients import ROW
from collector import KINDS, Collector, attributes, tree

TRACE_ID, CALLER = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
ONE = [("InferRequest", [("mlp", [("compute", [])])])]
ADDRESSES = ["--http-address=127.0.0.1", "--grpc-address=127.0.0.1", "--metrics-address=127.0.0.1"]
PORTS = ["--http-port=0", "--grpc-port=0", "--metrics-port=0"]
AT_ONCE = "--trace-config=opentelemetry,bsp_schedule_delay=0"


def traceparent(sampled=True):
    return {"traceparent": f"00-{TRACE_ID}-{CALLER}-0{int(sampled)}"}


def ensemble():
    """twice: x -> mlp -> other"""

    def step(model, source, result):
        return (
            f"{{ model_name: '{model}' model_version: -1 input_map {{ key: 'x' value: '{source}' }} "
            f"output_map {{ key: 'y' value: '{result}' }} }}"
        )

    tensors = " ".join(f"{kind} {{ name: '{name}' data_type: TYPE_FP32 dims: [ 4 ] }}" for kind, name in (("input", "x"), ("output", "z")))  # fmt: skip
    return (
        f"platform: 'ensemble' max_batch_size: 8 {tensors} ensemble_scheduling {{ step [ {step('mlp', 'x', 'middle')}, "
        f"{step('other', 'middle', 'z')} ] }}"
    )


@pytest.fixture
def repository(tmp_path):
    folder = tmp_path / "models"
    for name in ("mlp", "other"):
        repositories.add(folder, name, models.scaled(2))
    repositories.add_configured(folder, "twice", ensemble())
    return folder


@pytest.fixture
def collector():
    with Collector() as running:
        yield running


@pytest.fixture
def traced(serve, repository, collector):
    """start(*arguments) starts a server whose spans go to `collector` at once."""

    def start(*arguments, **options):
        return serve(repository, f"--trace-otlp={collector.url}", AT_ONCE, *arguments, **options)

    return start


def spans_of(server, collector):
    """All that were recorded, once the server has ended."""
    server.stop()
    return collector.spans()


def counts(server):
    """{result: number} of the metric."""
    text = server.get("/metrics")[1].decode()
    found = re.findall(r'^modelmill_trace_spans_total\{result="(\w+)"\} (\S+)$', text, re.MULTILINE)
    return {result: float(number) for result, number in found}


def infer(server, model="mlp", kind="http", **options):
    with clients.Client(kind, server.address) as client:
        return client.infer(model, ROW, **options)


@pytest.mark.parametrize("kind", clients.KINDS)
def test_a_request(traced, collector, kind):
    server = traced()
    infer(server, kind=kind, request_id="seven")
    spans = spans_of(server, collector)
    assert tree(spans) == ONE
    assert len({span.trace_id for span in spans}) == 1
    by_name = {span.name: span for span in spans}
    request, model, compute = (by_name[name] for name in ("InferRequest", "mlp", "compute"))
    assert (request.kind, model.kind) == (KINDS.SPAN_KIND_SERVER, KINDS.SPAN_KIND_INTERNAL)
    assert attributes(request)["modelmill.model"] == "mlp"
    found = attributes(model)
    assert (found["triton.model_name"], found["triton.model_version"], found["triton.request_id"]) == ("mlp", 1, "seven")
    assert (found["triton.trace_parent_id"], found["modelmill.rows"]) == (0, 1)
    assert found["modelmill.queue_us"] >= 0
    assert attributes(compute) == {"modelmill.batch_size": 1, "modelmill.cut_reason": "idle instance"}
    assert [event.name for event in model.events] == ["REQUEST_START", "QUEUE_START", "REQUEST_END"]
    assert [compute.events[0].name, compute.events[-1].name] == ["COMPUTE_START", "COMPUTE_END"]
    for span in spans:
        assert request.start_time_unix_nano <= span.start_time_unix_nano <= span.end_time_unix_nano
        assert span.end_time_unix_nano <= request.end_time_unix_nano
        times = [event.time_unix_nano for event in span.events]
        assert times == sorted(times)
        assert all(span.start_time_unix_nano <= time <= span.end_time_unix_nano for time in times)
    path, headers, _ = collector.requests[0]
    assert (path, headers["content-type"]) == ("/v1/traces", "application/x-protobuf")
    assert collector.resource()["service.name"] == "modelmill"


def test_of_every_protocol(traced, collector):
    server = traced()
    bodies = {
        "/v1/models/mlp:predict": {"instances": [[1, 2, 3, 4]]},
        "/predictions/mlp": {"x": [[1, 2, 3, 4]]},
        "/predict/mlp": {"x": [1, 2, 3, 4]},
        "/v2/models/mlp/infer": {"inputs": [{"name": "x", "shape": [1, 4], "datatype": "FP32", "data": [1, 2, 3, 4]}]},
    }
    for path, body in bodies.items():
        status, answer, _ = server.request("POST", path, json.dumps(body).encode(), {"Content-Type": "application/json", **traceparent()})  # fmt: skip
        assert status == 200, (path, answer)
    spans = spans_of(server, collector)
    assert tree(spans) == ONE * len(bodies)
    roots = [span for span in spans if span.name == "InferRequest"]
    assert {(span.trace_id.hex(), span.parent_span_id.hex()) for span in roots} == {(TRACE_ID, CALLER)}


@pytest.mark.parametrize("kind", ["http", "grpc"])
def test_an_ensemble_and_its_caller(traced, collector, kind):
    server = traced()
    infer(server, "twice", kind, headers=traceparent())
    spans = spans_of(server, collector)
    members = [(name, [("compute", [])]) for name in ("mlp", "other")]
    assert tree(spans) == [("InferRequest", [("twice", members)])]
    assert {span.trace_id.hex() for span in spans} == {TRACE_ID}
    by_name = {span.name: attributes(span) for span in spans}
    assert by_name["mlp"]["triton.trace_parent_id"] == by_name["twice"]["triton.trace_id"]


def test_callers_decide(traced, collector):
    """A caller's flag is followed, and of others a share or a rate is recorded."""
    server = traced("--trace-config=rate=3")
    for _ in range(3):
        infer(server, headers=traceparent(sampled=False))
    assert collector.spans() == []
    for _ in range(2):
        infer(server, headers=traceparent())
    for _ in range(3):
        infer(server)
    spans = spans_of(server, collector)
    assert sum(span.name == "InferRequest" for span in spans) == 3
    assert sum(span.trace_id.hex() == TRACE_ID for span in spans) == 6


def test_a_share_of_the_environment(serve, repository, collector):
    env = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"{collector.url}/base",
        "OTEL_EXPORTER_OTLP_HEADERS": "api-key=a%20b",
        "OTEL_TRACES_SAMPLER": "parentbased_traceidratio",
        "OTEL_TRACES_SAMPLER_ARG": "0",
        "OTEL_SERVICE_NAME": "scores",
        "OTEL_RESOURCE_ATTRIBUTES": "service.name=other,team=search",
        "OTEL_BSP_SCHEDULE_DELAY": "0",
    }
    server = serve(repository, env=env)
    infer(server)
    infer(server, headers=traceparent())
    assert tree(spans_of(server, collector)) == ONE
    path, headers, _ = collector.requests[0]
    assert (path, headers["api-key"]) == ("/base/v1/traces", "a b")
    resource = collector.resource()
    assert (resource["service.name"], resource["team"]) == ("scores", "search")
    collector.requests.clear()
    server = serve(repository, env={**env, "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"})
    infer(server, headers=traceparent())
    assert spans_of(server, collector) == []
    assert "OTLP is spoken as http/protobuf alone" in server.log()


def test_a_models_own_settings(traced, collector):
    server = traced("--trace-config=level=OFF")
    with clients.Client("grpc", server.address) as client:
        client.update_trace_settings(model_name="mlp", settings={"trace_level": ["TIMESTAMPS"], "trace_count": "1"})
        for model in ("other", "mlp", "mlp"):
            client.infer(model, ROW)
        settings = client.get_trace_settings(model_name="mlp", as_json=True)["settings"]
        assert settings["trace_count"]["value"] == ["0"]
    assert tree(spans_of(server, collector)) == ONE


def test_routes(traced, collector, tmp_path):
    """One span of the client's request, whichever way it goes, with the attempts and the shadow's copy below it."""
    code = """
        @modelmill.model(outputs={"y": modelmill.Tensor[np.float32, -1, 4]})
        def fails(x: modelmill.Tensor[np.float32, -1, 4]):
            raise RuntimeError("broken")
        """
    server = traced(python_workers.write(tmp_path, "fails", code))
    route = {"split": {"fails": 100}, "fallback": {"to": ["mlp"]}, "shadow": [{"target": "other"}]}
    assert server.request("PUT", "/admin/routes/way", json.dumps(route).encode())[0] == 200
    infer(server, "way", headers=traceparent())
    server.wait_executions(1, "other")
    spans = spans_of(server, collector)
    [(root, below)] = tree(spans)
    assert root == "InferRequest"
    assert [name for name, _ in below] == ["fails", "mlp", "other"]
    by_name = {span.name: span for span in spans}
    assert (by_name["fails"].status.code, by_name["mlp"].status.code, by_name[root].status.code) == (2, 0, 0)
    found = attributes(by_name[root])
    assert (found["modelmill.route"], found["modelmill.route_arm"]) == ("way", "mlp")
    assert (found["modelmill.served_model"], found["modelmill.served_version"]) == ("mlp", 1)
    assert found["modelmill.route_fallback"] == "error"


def test_failures(traced, collector):
    server = traced()
    status, _ = server.post_json("/v2/models/mlp/infer", {"inputs": []})
    assert status == 400
    [span] = spans_of(server, collector)
    assert (span.name, span.status.code) == ("InferRequest", 2)
    assert "input" in span.status.message


def triton(serve, repository, *options, **more):
    flags = [f"--trace-config={option}" for option in ("mode=opentelemetry", *options)]
    return serve(f"--model-repository={repository}", *ADDRESSES, *PORTS, *flags, personality="tritonserver", **more)


def test_as_triton(serve, repository, collector):
    """What its users say, and what they then get: callers are traced whatever the rate."""
    url = f"127.0.0.1:{collector.port}/v1/traces"
    server = triton(
        serve, repository, "level=TIMESTAMPS", "rate=5", "count=1", f"opentelemetry,url={url}",
        "opentelemetry,resource=test.key=test.value", "opentelemetry,resource=service.name=test_triton",
        "opentelemetry,bsp_schedule_delay=0",
    )  # fmt: skip
    for _ in range(12):
        infer(server)
    for sampled in (False, True):
        infer(server, headers=traceparent(sampled))
    settings = server.get_json("/v2/trace/setting")
    assert settings == {
        "trace_level": ["TIMESTAMPS"],
        "trace_rate": "5",
        "trace_count": "0",
        "trace_mode": "opentelemetry",
        "url": url,
        "resource": "test.key=test.value,service.name=test_triton",
        "bsp_max_queue_size": "2048",
        "bsp_schedule_delay": "0",
        "bsp_max_export_batch_size": "512",
    }
    assert server.post_json("/v2/trace/setting", {"trace_count": "3"})[1]["trace_count"] == "3"
    status, answer = server.post_json("/v2/trace/setting", {"trace_file": "/tmp/x"})
    assert "can not be updated through network protocol" in answer["error"], status
    spans = spans_of(server, collector)
    roots = [span for span in spans if span.name == "InferRequest"]
    assert sorted(span.parent_span_id.hex() for span in roots) == ["", CALLER, CALLER]
    resource = collector.resource()
    assert (resource["service.name"], resource["test.key"]) == ("test_triton", "test.value")


def test_as_triton_of_callers_alone(serve, repository, collector):
    url = f"opentelemetry,url={collector.url}/v1/traces"
    server = triton(serve, repository, "level=TIMESTAMPS", "rate=0", url)
    for _ in range(3):
        infer(server)
    infer(server, headers=traceparent())
    assert tree(spans_of(server, collector)) == ONE
    assert collector.resource()["service.name"] == "triton-inference-server"


def test_busy_collector(serve, repository):
    """What it can't take now it gets again."""
    with Collector(lambda number: (503, b"", {"Retry-After": 0}) if number == 1 else 200) as collector:
        server = serve(repository, f"--trace-otlp={collector.url}", AT_ONCE)
        infer(server)
        servers.wait_until(lambda: counts(server)["exported"] == 3, "the spans are there")
        assert counts(server) == {"exported": 3, "dropped": 0, "failed": 0}
        server.stop()


GARBAGE = {
    "a page": (200, b"<html>", {"Content-Type": "text/html"}),
    "no http": b"hello\r\n\r\n",
    "refusal": (400, b"\xff\xfe", {}),
    "elsewhere": (302, b"", {"Location": "http://127.0.0.1:1/"}),
    "too much": (200, b"x" * 1_000_000, {}),
}


@pytest.mark.parametrize("kind", GARBAGE)
def test_garbage(serve, repository, kind):
    """Whatever the collector says, requests are answered, and the server ends."""
    with Collector(lambda number: GARBAGE[kind]) as collector:
        server = serve(repository, f"--trace-otlp={collector.url}", AT_ONCE)
        for _ in range(3):
            np.testing.assert_array_equal(infer(server).as_numpy("y"), ROW["x"] * 2)
        servers.wait_until(collector.messages, "spans came")
        if kind in ("a page", "too much"):
            servers.wait_until(lambda: counts(server)["exported"] == 9, "they are taken for received")
        server.assert_alive()
        server.stop()
        if kind in ("refusal", "elsewhere"):
            assert "spans are lost" in server.log()
        assert server.log().count("spans may go to what is no collector") == int(kind == "a page")


def test_nobody_is_there(serve, repository):
    """Requests are answered, the end is not held up, and by then the log has told of each span that was lost."""
    with Collector() as gone:
        url = gone.url
    server = serve(repository, f"--trace-otlp={url}", AT_ONCE, "--trace-config=opentelemetry,bsp_max_queue_size=4")
    for _ in range(10):
        infer(server)
    servers.wait_until(lambda: counts(server)["dropped"] > 0, "what finds no room is dropped")
    server.stop()
    lost = dict.fromkeys(("they come faster", "does not take them", "has ended"), 0)
    for line in server.log().splitlines():
        if "spans are lost" in line:
            (why,) = (why for why in lost if why in line)
            lost[why] += int(re.search(r"\bspans=(\d+)", line)[1])
    assert sum(lost.values()) == 30
    assert lost["they come faster"] > 0
    assert lost["does not take them"] > 0


def test_silence(serve, repository):
    """A collector that never answers holds up neither requests nor, for long, the end."""
    with Collector(lambda number: None) as collector:
        server = serve(repository, f"--trace-otlp={collector.url}", AT_ONCE)
        infer(server)
        servers.wait_until(collector.messages, "spans came")
        infer(server)
        server.stop()


def test_tls(serve, repository, tmp_path):
    authority = Authority(tmp_path / "ca")
    certificate, key = authority.sign("localhost")
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate, key)
    with Collector(tls=tls) as collector:
        env = {"OTEL_EXPORTER_OTLP_CERTIFICATE": str(authority.certificate)}
        server = serve(repository, f"--trace-otlp={collector.url}", AT_ONCE, env=env)
        infer(server)
        assert tree(spans_of(server, collector)) == ONE


def test_a_models_calls(traced, collector, tmp_path):
    """What a Python model asks for a request belongs to it, and the model can hand its place on."""
    inner = """
        @modelmill.model(outputs={"told": str})
        def inner(x: int, request: modelmill.Request):
            return {"told": request.traceparent}
        """
    outer = """
        @modelmill.model(outputs={"told": str})
        def outer(x: int, how: str):
            options = {"": 0, "none": modelmill.CallOptions(traceparent="")}[how]
            return {"told": modelmill.call("inner", options, x=x)["told"].item().decode()}
        """
    server = traced(*(python_workers.write(tmp_path, name, code) for name, code in (("inner", inner), ("outer", outer))))
    status, answer = server.post_json("/predict/outer", {"x": 1, "how": ""})
    assert status == 200, answer
    status, without = server.post_json("/predict/outer", {"x": 1, "how": "none"})
    assert status == 200, without
    spans = spans_of(server, collector)
    computed = ("compute", [])
    assert sorted(tree(spans), key=str) == [
        ("InferRequest", [("outer", [computed, ("inner", [computed])])]),
        ("InferRequest", [("outer", [computed])]),
    ]
    span = next(span for span in spans if span.name == "inner")
    assert answer["told"] == f"00-{span.trace_id.hex()}-{span.span_id.hex()}-01"
    assert without["told"] == ""


def test_what_others_put_into_the_environment(serve, repository, collector):
    """Wrong variables keep no server from its start unless it was asked for traces, and the log tells no secrets."""
    wrong = {"OTEL_EXPORTER_OTLP_TIMEOUT": "10s", "OTEL_EXPORTER_OTLP_HEADERS": "key=secret%"}
    server = serve(repository, env={"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, **wrong})
    infer(server)
    assert tree(spans_of(server, collector)) == ONE
    for variable in wrong:
        assert f"{variable} in the environment" in server.log()
    assert "secret" not in server.log()
    server = serve(repository, env={"OTEL_EXPORTER_OTLP_ENDPOINT": "unix:///run/collector.sock"})
    infer(server)
    server.stop()
    assert "so nothing is sent" in server.log()
    for name, value in wrong.items():
        env = {name: value}
        result = servers.run_cli("serve", repository, f"--trace-otlp={collector.url}", env=env)
        assert (result.returncode, name in result.stderr, "secret" in result.stderr) == (2, True, False), result.stderr


def test_authorities_that_are_not_there(repository, tmp_path):
    variable = "OTEL_EXPORTER_OTLP_CERTIFICATE"
    env = {variable: str(tmp_path / "none.pem")}
    result = servers.run_cli("serve", repository, "--trace-otlp=https://localhost:1", env=env)
    assert result.returncode == 2
    assert f"{variable} in the environment: '{tmp_path}/none.pem' has no certificate" in result.stderr


def test_long_texts(traced, collector):
    """What a client sends takes no more room than a span has."""
    server = traced()
    much = "x" * 1_000_000
    infer(server, request_id=much)
    infer(server, kind="grpc", request_id=much)
    found = [attributes(span).get("triton.request_id") for span in spans_of(server, collector)]
    assert found.count("x" * 4096) == 4


@pytest.mark.parametrize(
    "arguments, why",
    [
        (["--trace-otlp=ftp://x"], "--trace-otlp"),
        (["--trace-otlp=http://x", "--trace-config=triton,file=y"], "either into a file or to a collector"),
        (["--trace-otlp=http://x", "--trace-config=level=TENSORS"], "spans have no tensors"),
        (["--trace-config=opentelemetry,url=x"], "needs --trace-config mode=opentelemetry"),
        (["--trace-config=mode=jaeger"], "no way to trace"),
    ],
)
def test_what_cannot_be(repository, arguments, why):
    result = servers.run_cli("serve", repository, *arguments)
    assert result.returncode == 2
    assert why in result.stderr
