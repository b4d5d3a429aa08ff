"""Archives of models, as people make them and as nobody should."""

import io
import json
import tarfile
import zipfile

import models


def model_bytes(factor):
    """A model that multiplies by `factor`, which tells it from the others."""
    return models.scaled(factor).SerializeToString()


def write(path, files, kind=None):
    """Packs {name: bytes}, as the path's ending says or as `kind` does."""
    path.parent.mkdir(parents=True, exist_ok=True)
    making = path.with_name(".making-" + path.name)
    if (kind or path.suffix) in (".zip", ".mar"):
        with zipfile.ZipFile(making, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, data in files.items():
                archive.writestr(name, data)
    else:
        with tarfile.open(making, "w" if path.suffix == ".tar" else "w:gz") as archive:
            for name, data in files.items():
                add(archive, name, data)
    making.rename(path)
    return path


def add(archive, name, data=b"", **fields):
    """An entry of a tar, with whatever fields."""
    entry = tarfile.TarInfo(name)
    entry.size = len(data)
    for field, value in fields.items():
        setattr(entry, field, value)
    archive.addfile(entry, io.BytesIO(data))


def tar_of(path, *entries):
    """A tar of (name, data, fields of its TarInfo)."""
    with tarfile.open(path, "w:gz") as archive:
        for name, data, fields in entries:
            add(archive, name, data, **fields)
    return path


def mar_files(name, version, factor, handler="base_handler"):
    """What torch-model-archiver packs."""
    manifest = {
        "createdOn": "01/01/2024 00:00:00",
        "runtime": "python",
        "model": {"modelName": name, "modelVersion": version, "serializedFile": "net.onnx", "handler": handler},
        "archiverVersion": "0.9.0",
    }
    return {"net.onnx": model_bytes(factor), "MAR-INF/MANIFEST.json": json.dumps(manifest).encode()}
