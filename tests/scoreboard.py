"""The scoreboard of other people's suites and clients: which there are, what became of them, and how that is written down.

Nothing in it depends on when, where or how fast a run was, so docs/conformance.md changes only when the results do.
"""

import collections
import dataclasses
import json
import pathlib
import re
import subprocess
import xml.etree.ElementTree as ElementTree

ROOT = pathlib.Path(__file__).resolve().parent.parent
CONFORMANCE = ROOT / "tests/conformance"


def _pin(path, pattern):
    found = re.search(pattern, (ROOT / path).read_text(), re.MULTILINE)
    assert found, f"{path} pins nothing like {pattern}"
    return found[1]


def pinned(file, package):
    """The version of a Python package that a file of tests/ pins."""
    return lambda: _pin(f"tests/{file}.txt", rf"^{re.escape(package)}(?:\[[\w,]+\])?==([\w.]+)")


def go_module(name):
    return lambda: _pin("tests/conformance/go/go.mod", rf"^\s*{re.escape(name)} v([\d.]+)")


def node_package(folder, name):
    return lambda: json.loads((CONFORMANCE / folder / "package.json").read_text())["dependencies"][name]


def debian_library(name):
    """Debian's own, as installed."""

    def version():
        shown = subprocess.run(["pkg-config", "--modversion", name], capture_output=True, text=True, check=False)
        return shown.stdout.strip() or "not installed"

    return version


def ours():
    return "ours"


@dataclasses.dataclass(frozen=True)
class Suite:
    name: str
    version: object
    what: str


WIRE = [
    Suite("h2spec", go_module("github.com/summerwind/h2spec"), "HTTP/2 and HPACK, strict cases too, plain and over TLS"),
    Suite("gRPC interop", go_module("google.golang.org/grpc"), "gRPC's interoperability cases, by grpc-go's client"),
    Suite("grpc-js", node_package("grpc_js", "@grpc/grpc-js"), "gRPC on Node's own HTTP/2"),
    Suite("grpcio", pinned("requirements", "grpcio"), "compression by gRPC's Python client"),
    Suite("gRPC C++", debian_library("grpc++"), "compression by gRPC's C++ client"),
    Suite("Azurite", node_package("azurite", "azurite"), "models in Azure's blobs"),
    Suite("Node", lambda: "any", "what the page at `/` sends"),
]
TRITON = pinned("requirements", "tritonclient")
PERF = pinned("requirements-perf-analyzer", "tritonclient")
CLIENTS = [
    Suite("tritonclient.http", TRITON, "V2 with Triton's extensions"),
    Suite("tritonclient.http.aio", TRITON, "the same, asyncio"),
    Suite("tritonclient.grpc", TRITON, "the same over gRPC, and streams"),
    Suite("tritonclient.grpc.aio", TRITON, "the same, asyncio"),
    Suite("perf_analyzer triton", PERF, "load by `--service-kind triton`, HTTP and gRPC, shared memory, streams"),
    Suite("perf_analyzer tfserving", PERF, "load by `--service-kind tfserving`"),
    Suite("perf_analyzer torchserve", PERF, "load by `--service-kind torchserve`"),
    Suite(
        "tensorflow-serving-api",
        pinned("requirements/tensorflow-nodeps", "tensorflow-serving-api"),
        "TensorFlow Serving's gRPC services, with TensorFlow's word on what is right",
    ),
    Suite("kserve InferenceRESTClient", pinned("requirements/clients", "kserve"), "V1, V2 and inference graphs"),
    Suite("kserve InferenceGRPCClient", pinned("requirements/clients", "kserve"), "V2 over gRPC"),
    Suite("openai", pinned("requirements/clients", "openai"), "models and embeddings"),
]
SCHEMATHESIS = pinned("requirements-schemathesis", "schemathesis")
CONTRACTS = [
    Suite("Open Inference HTTP", ours, "the Open Inference Protocol over HTTP, by `tests/conformance/open_inference`"),
    Suite("Open Inference binary", ours, "its extension for binary data"),
    Suite("Open Inference gRPC", ours, "the same protocol over gRPC"),
    Suite("schemathesis, Open Inference", SCHEMATHESIS, "the protocol's HTTP interface, operation by operation, on made-up requests"),
    Suite("schemathesis, our OpenAPI", SCHEMATHESIS, "all that `/openapi.json` describes, likewise"),
]
# What they fail here is theirs, and no failure of a run.
PEERS = [
    Suite("KServe's server", pinned("requirements/clients", "kserve"), "the Open Inference suite, HTTP and gRPC, on models of its Python SDK"),
    Suite("MLServer", pinned("requirements-mlserver", "mlserver"), "the same on MLServer"),
]
GROUPS = [("The wire", WIRE), ("Clients", CLIENTS), ("Contracts", CONTRACTS), ("The Open Inference suite on other servers", PEERS)]
NAMES = {suite.name for _, suites in GROUPS for suite in suites}


@dataclasses.dataclass
class Score:
    """What became of a suite's cases."""

    passed: int = 0
    failed: list = dataclasses.field(default_factory=list)  # the names of those cases
    skipped: collections.Counter = dataclasses.field(default_factory=collections.Counter)  # by the reason

    @property
    def total(self):
        return self.passed + len(self.failed) + self.skipped.total()


def cases(passed, failed=(), skipped=None):
    """What a test tells of the cases that it has run by a program: how many passed, the names of those that failed, and
    {reason: how many were skipped}."""
    return json.dumps({"passed": passed, "failed": sorted(failed), "skipped": skipped or {}})


def read(junit, scores):
    """Adds what a JUnit file of pytest's says to {suite: Score}."""
    for case in ElementTree.parse(junit).iter("testcase"):
        properties = {one.get("name"): one.get("value") for one in case.iter("property")}
        if "suite" not in properties:
            continue
        score = scores.setdefault(properties["suite"], Score())
        went_wrong = case.find("failure") is not None or case.find("error") is not None
        skip = case.find("skipped")
        if "cases" in properties:
            told = json.loads(properties["cases"])
            score.passed += told["passed"]
            score.failed += told["failed"]
            score.skipped.update(told["skipped"])
            went_wrong = went_wrong and not told["failed"]
        elif skip is not None:
            score.skipped[skip.get("message") or "no reason given"] += 1
        elif not went_wrong:
            score.passed += 1
        if went_wrong:
            score.failed.append(case.get("name"))


def _row(suite, score):
    skipped = "; ".join(f"{count}: {reason}" for reason, count in sorted(score.skipped.items())) or "0"
    cells = [suite.name, suite.version(), suite.what, score.passed, len(score.failed), skipped]
    return "| " + " | ".join(str(cell).replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"


def _listed(suites, scores, text):
    return [text.format(suite.name, name) for suite in suites for name in sorted(scores.get(suite.name, Score()).failed)]


def write(scores):
    """The page; every suite has its row, with zeros where it did not run."""
    lines = [
        "# Conformance",
        "",
        "Other people's suites and clients, unmodified and pinned, against this server. `make conformance` runs them and writes this",
        "page; [dependencies](dependencies.md#other-peoples-suites) says where they come from. A suite's cases are counted as it counts",
        "them: h2spec's own, schemathesis' operations, else the tests that are made of a client.",
    ]
    failed = []
    for title, suites in GROUPS:
        lines += ["", f"## {title}", "", "| suite | version | what | passed | failed | skipped |", "|---|---|---|--:|--:|---|"]
        lines += [_row(suite, scores.get(suite.name, Score())) for suite in suites]
        if suites is not PEERS:
            failed += _listed(suites, scores, "- {}: `{}`")
    told = _listed(PEERS, scores, "- {}: {}")
    if told:
        lines += ["", "What fails there is what those servers do otherwise than the protocol says:", "", *told]
    if failed:
        lines += ["", "## What failed", "", *failed]
    return "\n".join(lines) + "\n"


def missing(scores):
    """The suites of which nothing has run."""
    return [suite.name for _, suites in GROUPS for suite in suites if scores.get(suite.name, Score()).total == 0]
