"""Models that need no code of their user's, made by the programs of tests/no_code in their frameworks' own Pythons."""

import json
import pathlib
import subprocess

import numpy as np

import servers


def venv(family):
    return servers.ROOT / "build/venvs" / family


def make(side, family, folder):
    """Runs NAME_side.py; returns its answers."""
    folder.mkdir(parents=True, exist_ok=True)
    program = pathlib.Path(__file__).parent / "no_code" / f"{side}_side.py"
    command = [venv(family) / "bin/python", program, folder]
    subprocess.run(
        [str(part) for part in command], check=True, timeout=120, env=servers.environment({"HF_HUB_OFFLINE": "1"})
    )
    return json.loads((folder / "answers.json").read_text())


def ask(server, model, inputs):
    """(status, the answer) of /predict."""
    body = json.dumps(inputs).encode()
    status, reply, _ = server.request("POST", f"/predict/{model}", body, {"content-type": "application/json"})
    return status, json.loads(reply)


def assert_answers(server, answers, rtol=1e-6):
    """The server answers each request as the framework itself, and the rows of one request alone the same."""
    for answer in answers:
        what = answer["model"]
        for request, expected in (_whole(answer), _first_row(answer)):
            status, reply = ask(server, what, request)
            assert status == 200, (what, reply)
            assert list(reply) == list(expected), what
            for name, values in expected.items():
                _assert_same(reply[name], values, rtol, f"{what} {name}")


def _whole(answer):
    return answer["inputs"], answer["outputs"]


def _first_row(answer):
    return tuple({name: values[:1] for name, values in answer[which].items()} for which in ("inputs", "outputs"))


def _assert_same(got, expected, rtol, what):
    got, expected = np.asarray(got), np.asarray(expected)
    assert got.shape == expected.shape, what
    if expected.dtype.kind in "US":
        assert got.tolist() == expected.tolist(), what
    else:
        np.testing.assert_allclose(got, expected, rtol=rtol, atol=rtol, err_msg=what)
