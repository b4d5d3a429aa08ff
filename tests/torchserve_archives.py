"""Archives as torch-model-archiver packs them, of handlers written as for TorchServe."""

import json
import subprocess
import textwrap
import zipfile

import servers

VENV = servers.ROOT / "build/venvs/pytorch"


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(textwrap.dedent(text))
    return path


def pack(folder, store, name, handler, *, files=(), version="1.0", **options):
    """store/NAME.mar, or what `archive_format` says. `handler` is the name of one of TorchServe's, or the code of a file; `files` are further ones."""
    store.mkdir(parents=True, exist_ok=True)
    if "\n" in handler:
        handler = write(folder / name / f"{name}_handler.py", handler)
    command = [VENV / "bin/torch-model-archiver", "--model-name", name, "--version", version, "--handler", handler]
    for option, value in options.items():
        command += ["--" + option.replace("_", "-"), value]
    if files:
        command += ["--extra-files", ",".join(map(str, files))]
    command += ["--export-path", store, "--force"]
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return store / (f"{name}.tar.gz" if options.get("archive_format") == "tgz" else f"{name}.mar")


def pack_workflow(store, name, spec, handler, file=None):
    """store/FILE (NAME.war), as torch-workflow-archiver packs it: the spec and the handler, and the manifest behind them."""
    store.mkdir(parents=True, exist_ok=True)
    workflow = {"workflowName": name, "specFile": f"{name}.yaml", "handler": f"{name}_handler.py"}
    manifest = {"createdOn": "01/01/2024 00:00:00", "workflow": workflow, "archiverVersion": "0.2.15"}
    path = store / (file or f"{name}.war")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(workflow["specFile"], textwrap.dedent(spec))
        archive.writestr(workflow["handler"], textwrap.dedent(handler))
        archive.writestr("WAR-INF/MANIFEST.json", json.dumps(manifest, indent=2))
    return path


def run(folder, code, *arguments):
    """Runs code in a folder, in the environment that has torch; what it prints."""
    script = write(folder / "run.py", code)
    command = [VENV / "bin/python", script, *arguments]
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, timeout=100, cwd=folder)
    assert done.returncode == 0, done.stderr
    return done.stdout
