"""Python models for tests, and the processes that run them."""

import pathlib
import textwrap

import servers


def write(folder, name, code):
    """A file NAME.py that is served."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.py"
    path.write_text("import modelmill\nimport numpy as np\n" + textwrap.dedent(code))
    return path


def yaml(folder, *entries):
    """A modelmill.yaml; each entry is (name, path, parameters)."""
    lines = ["models:"]
    for name, path, parameters in entries:
        lines += [f"  - name: {name}", f"    path: {path}", f"    parameters: {parameters or '{}'}"]
    path = folder / "modelmill.yaml"
    path.write_text("\n".join(lines).replace("'", '"') + "\n")
    return path


def of(server):
    """Process numbers of the server's workers."""
    found = []
    for folder in pathlib.Path("/proc").iterdir():
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
            command = (folder / "cmdline").read_bytes()
        except (OSError, ValueError):
            continue
        if int(fields[1]) == server.process.pid and b"modelmill/worker" in command and fields[0] != "Z":
            found.append(int(folder.name))
    return sorted(found)


def wait_for(server, count):
    return servers.wait_until(lambda: len(of(server)) == count and of(server), f"there are {count} workers")


def is_alive(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
