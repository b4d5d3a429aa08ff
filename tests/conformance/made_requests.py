"""schemathesis on a server: requests made of an OpenAPI document, good and bad ones, and what is wrong with the answers."""

import copy
import json
import re
import subprocess
import xml.etree.ElementTree as ElementTree

import servers

PROGRAM = servers.ROOT / "build/venvs/schemathesis/bin/schemathesis"
SEED = "20260101"  # so that what is found is found again
EXAMPLES = "12"  # of each operation, beside those that the schema's limits call for

# What is not looked at: whether good data is taken, since a schema doesn't say which models, tensors and names there are, and
# what is about things that requests make or that need a secret.
WITHOUT = [
    "positive_data_acceptance",
    "use_after_free",
    "ensure_resource_availability",
    "ignored_auth",
    "object_level_authorization",
]
CONFIG = """\
color = false

[checks.not_a_server_error]
# "Not implemented" and "not now" are answers.
expected-statuses = ["2xx", "3xx", "4xx", 501, 503]

[[operations]]
# TensorFlow Serving's way with a method that a path does not take is "Malformed request" and status 400.
include-tag = "TensorFlow Serving and KServe V1"
checks.unsupported_method.enabled = false

[[operations]]
# TorchServe answers these whatever the method is.
include-path = ["/ping", "/api-description"]
checks.unsupported_method.enabled = false
"""


def with_names(document, names):
    """The document with what path parameters may be: `names` has lists, for each parameter, or for it at one operation,
    as "post /v2/models/{model}/load model"."""
    document = copy.deepcopy(document)
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            for parameter in operation.get("parameters", []):
                name = parameter["name"]
                some = names.get(f"{method} {path} {name}", names.get(name))
                assert some, f"no values for '{name}' of {method} {path}"
                parameter["schema"] = {"type": "string", "enum": some}
    return document


def ask(url, document, folder, more=()):
    """{operation: "" or what is wrong} of one run, which takes a few minutes."""
    folder.mkdir(exist_ok=True)
    (folder / "document.json").write_text(json.dumps(document))
    (folder / "schemathesis.toml").write_text(CONFIG)
    report = folder / "report.xml"
    command = [PROGRAM, "--config-file", folder / "schemathesis.toml", "run", folder / "document.json", "--url", url]
    command += ["--phases", "examples,coverage,fuzzing", "--mode", "all", "--seed", SEED, "--max-examples", EXAMPLES]
    command += ["--exclude-checks", ",".join(WITHOUT), "--generation-database", "none", "--suppress-health-check", "all"]
    command += ["--request-timeout", "30", "--report", "junit", "--report-junit-path", report, "--warnings", "off", *more]
    done = subprocess.run(command, capture_output=True, text=True, timeout=840, env=servers.environment(), cwd=folder)
    (folder / "output").write_text(done.stdout + done.stderr)
    assert done.returncode in (0, 1), done.stdout[-4000:] + done.stderr[-4000:]
    found = {}
    for case in ElementTree.parse(report).iter("testcase"):
        assert case.find("skipped") is None, f"{case.get('name')} was skipped: {case.find('skipped').get('message')}"
        wrong = [*case.iter("failure"), *case.iter("error")]
        found[case.get("name")] = "\n".join((one.get("message") or "") + "\n" + (one.text or "") for one in wrong)
    return found


def operations(document):
    """As schemathesis calls them."""
    methods = re.compile("get|put|post|delete|patch")
    return {
        f"{method.upper()} {path}" for path, found in document["paths"].items() for method in found if methods.fullmatch(method)
    }
