"""Routes as tests set them, ask along them and read what is counted of them."""

import json

from changing_models import write_version, write_versions


def write_models(folder):
    """The model m, of which version n multiplies by n, and the model `other`, which multiplies by 10; gives the folder."""
    write_versions(folder, "m", 1, 2)
    write_version(folder, "other", 10)
    return folder


def call(server, method, path="", body=None):
    data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
    status, answer, _ = server.request(method, f"/admin/routes{path}", data)
    return status, json.loads(answer)


def put(server, name, route):
    status, answer = call(server, "PUT", f"/{name}", route)
    assert status == 200, answer
    return answer


def predict(server, name, headers=None, query=""):
    """(factor, headers) of an answer."""
    body = json.dumps({"x": [1, 2, 3, 4]}).encode()
    status, answer, got = server.request(
        "POST", f"/predict/{name}{query}", body, {"Content-Type": "application/json", **(headers or {})}
    )
    assert status == 200, answer
    return json.loads(answer)["y"][0], got


def factor(server, name, **options):
    return predict(server, name, **options)[0]


def metric(server, name, **labels):
    text = ",".join(f'{key}="{value}"' for key, value in labels.items())
    for line in server.get("/metrics")[1].decode().splitlines():
        if line.startswith(f"{name}{{{text}}} "):
            return float(line.rpartition(" ")[2])
    return None


def ask_identity(server, name):
    """(status, answer, headers) of one V2 request over HTTP."""
    body = {"id": "7", "inputs": [{"name": "INPUT0", "datatype": "FP32", "shape": [1, 2], "data": [1, 2]}]}
    status, answer, headers = server.request("POST", f"/v2/models/{name}/infer", json.dumps(body).encode())
    return status, json.loads(answer), headers
