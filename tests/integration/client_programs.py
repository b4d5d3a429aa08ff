"""Running the programs that ask a server with a client that has a Python of its own."""

import json
import pathlib
import re
import subprocess

import servers

FOLDER = pathlib.Path(__file__).parent
PYTHON = servers.ROOT / "build/venvs/clients/bin/python"


def checks(program):
    """The names of a program's checks."""
    return re.findall(r"^def check_(\w+)", (FOLDER / program).read_text(), re.MULTILINE)


def results(program, *arguments):
    """{check: "" or what went wrong} of one run."""
    command = [PYTHON, FOLDER / program, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, env=servers.environment())
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])
