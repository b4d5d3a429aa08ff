"""Models whose files change while they are served, and what the server says of them."""

import json
import os

import models


def write_version(repository, name, version, model=None, config=None):
    """A version's folder that is there at once, whole. Version N of the model multiplies by N unless one is given."""
    folder = repository / name
    folder.mkdir(parents=True, exist_ok=True)
    if config is not None:
        (folder / "config.pbtxt").write_text(config)
    making = repository.parent / f"making-{name}-{version}"
    making.mkdir()
    models.save(models.scaled(version) if model is None else model, making / "model.onnx")
    making.rename(folder / str(version))


def write_versions(repository, name, *versions):
    """The versions of a model that serves them all; gives the repository."""
    for version in versions:
        write_version(repository, name, version, config="version_policy { all { } }")
    return repository


def replace_file(model, path):
    making = path.with_suffix(".new")
    models.save(model, making)
    os.replace(making, path)


def states(server):
    """{(model, version): (state, reason)} of the index."""
    _, index = server.post_json("/v2/repository/index", {})
    return {(m["name"], m.get("version", "")): (m.get("state", ""), m.get("reason", "")) for m in index}


def served_versions(server, model):
    status, body, _ = server.get(f"/v2/models/{model}")
    return json.loads(body)["versions"] if status == 200 else []


def predict(server, model):
    return server.post_json(f"/predict/{model}", {"x": [1, 2, 3, 4]})


def control(server, model, what):
    """(status, text) of a load or an unload."""
    status, text, _ = server.request("POST", f"/v2/repository/models/{model}/{what}", b"")
    return status, text.decode()
