"""Which device each worker of a Python model is told to compute on, on a machine that is said to have four GPUs."""

import os
import signal

import pytest

import python_workers
import triton_repository
from servers import run_cli, wait_until
from test_python_faults import ask, wait_answer
from torchserve_archives import VENV, pack, write

FOUR = {"MODELMILL_GPUS": "4"}
ALL = ["cuda:0", "cuda:1", "cuda:2", "cuda:3"]
# Each worker leaves a file of what it is told.
OWN = """
import os, pathlib

@modelmill.model({options})
class Where:
    def __init__(self):
        self.device = modelmill.device()
        pathlib.Path({told!r}, str(os.getpid())).write_text(self.device)

    {method} predict(self, x: int) -> str:
        return self.device
"""
TRITON = """
import os, pathlib

class TritonPythonModel:
    def initialize(self, args):
        told = args["model_instance_kind"] + " " + args["model_instance_device_id"]
        pathlib.Path({told!r}, str(os.getpid())).write_text(told)

    def execute(self, requests):
        return [pb_utils.InferenceResponse([pb_utils.Tensor("y", pb_utils.get_input_tensor_by_name(r, "x").as_numpy())])
                for r in requests]
"""
HANDLER = """
import os, pathlib

def handle(data, context):
    gpu = context.system_properties["gpu_id"]
    if data is None:
        pathlib.Path({told!r}, str(os.getpid())).write_text(str(gpu))
        return None
    return ["fine"] * len(data)
"""


@pytest.fixture
def told(tmp_path):
    folder = tmp_path / "told"
    folder.mkdir()
    return folder


def read(told):
    return sorted(path.read_text() for path in told.iterdir())


def own(folder, told, options="", method="def"):
    return python_workers.write(folder, "where", OWN.format(options=options, told=str(told), method=method))


def yaml(folder, path, *lines):
    """A modelmill.yaml with one model and those lines about it."""
    file = folder / "modelmill.yaml"
    file.write_text("\n".join(["models:", "  - name: where", f"    path: {path}", *(f"    {line}" for line in lines)]) + "\n")
    return file


@pytest.mark.parametrize(
    ("options", "lines", "expected"),
    [
        ("", [], ["cpu"]),
        ("device='cuda'", [], ALL),
        ("device='auto'", [], ALL),
        ("device='cuda:2'", [], ["cuda:2"]),
        ("device=['cuda:3', 'cuda:1'], workers=3", [], ["cuda:1", "cuda:3", "cuda:3"]),
        ("device='cuda', workers=2", [], ["cuda:0", "cuda:1"]),
        ("device='cuda'", ["instances: 6"], [*ALL, "cuda:0", "cuda:1"]),
        # A configuration comes before the code.
        ("device='cuda'", ["device: cpu", "instances: 2"], ["cpu", "cpu"]),
        ("", ["device: gpu"], ALL),
        ("device='cuda:2'", ["gpus: [3, 1]", "instances: 2"], ["cuda:1", "cuda:1", "cuda:3", "cuda:3"]),
    ],
)
@pytest.mark.parametrize("method", ["def", "async def"])
def test_own_models(serve, tmp_path, told, options, lines, expected, method):
    server = serve(yaml(tmp_path, own(tmp_path, told, options, method), *lines), env=FOUR)
    wait_until(lambda: read(told) == sorted(expected), f"{expected} are told")
    status, body = ask(server, "where", x=1)
    assert status == 200 and body["output"] in expected
    server.stop()


def test_a_worker_that_comes_back_is_where_it_was(serve, tmp_path, told):
    server = serve(own(tmp_path, told, "device='cuda'"), env=FOUR)
    assert read(told) == ALL
    for path in list(told.iterdir()):
        if path.read_text() == "cuda:2":
            path.unlink()
            os.kill(int(path.name), signal.SIGKILL)
    wait_until(lambda: read(told) == ALL, "it is back")
    wait_until(lambda: ask(server, "where", x=1)[0] == 200, "it serves")
    server.stop()


@pytest.mark.parametrize(
    ("options", "lines", "gpus", "said"),
    [
        ("device='cuda'", [], "0", "asks for device 'cuda', but of GPUs there is none"),
        ("device='cuda:5'", [], "4", "asks for device 'cuda:5', but of GPUs there are cuda:0 to cuda:3"),
        ("device=['cpu', 'cuda:1']", [], "1", "asks for device 'cuda:1', but of GPUs there is cuda:0 alone"),
        ("device='gpu'", [], "4", "device='gpu': it is \"cpu\", \"cuda\""),
        ("device=[]", [], "4", "device=[]: it is"),
        ("", ["device: gpu"], "0", "has kind KIND_GPU but no GPUs are available"),
        ("", ["gpus: [4]"], "4", "invalid or unsupported gpu id 4"),
    ],
)
def test_devices_that_are_not_there(tmp_path, told, options, lines, gpus, said):
    path = yaml(tmp_path, own(tmp_path, told, options), *lines)
    result = run_cli("serve", path, "--port", 0, env={"MODELMILL_GPUS": gpus})
    assert result.returncode == 1 and said in result.stderr and "where" in result.stderr, result.stderr
    assert read(told) == []


def test_auto_without_gpus(serve, tmp_path, told):
    server = serve(own(tmp_path, told, "device='auto'"), env={"MODELMILL_GPUS": "0"})
    assert read(told) == ["cpu"]
    server.stop()


def test_a_device_that_is_asked_for_too_early(serve, tmp_path):
    """It can't be known while the file is read, unless the configuration says it, or it is none but the CPU."""
    code = "EARLY = modelmill.device()\n@modelmill.model(device='cuda')\ndef where(x: int) -> str:\n    return EARLY\n"
    path = python_workers.write(tmp_path, "where", code)
    result = run_cli("serve", path, "--port", 0, env=FOUR)
    assert result.returncode == 1 and "modelmill.on_start" in result.stderr, result.stderr
    server = serve(yaml(tmp_path, path, "gpus: [3]"), env=FOUR)
    wait_answer(server, "where", {"output": "cuda:3"}, x=1)
    server.stop()


@pytest.mark.parametrize(
    ("groups", "expected"),
    [
        ("", [f"GPU {number}" for number in range(4)]),
        ("instance_group { kind: KIND_CPU count: 2 }", ["CPU 0", "CPU 0"]),
        ("instance_group { kind: KIND_MODEL }", ["MODEL 0"]),
        ("instance_group { kind: KIND_GPU gpus: [ 2 ] count: 2 }", ["GPU 2", "GPU 2"]),
        ("instance_group [ { kind: KIND_GPU gpus: [ 1 ] }, { kind: KIND_CPU } ]", ["CPU 0", "GPU 1"]),
    ],
)
@pytest.mark.parametrize("decoupled", [False, True])
def test_triton_models(serve, tmp_path, told, groups, expected, decoupled):
    policy = "model_transaction_policy { decoupled: true }" if decoupled else ""
    config = f"{triton_repository.FP32_4} {groups} {policy}"
    triton_repository.add(tmp_path / "models", "where", config, TRITON.format(told=str(told)))
    server = serve(tmp_path / "models", env=FOUR)
    wait_until(lambda: read(told) == expected, f"{expected} are told")
    server.stop()


@pytest.mark.parametrize(
    ("gpus", "config", "expected"),
    [
        ("4", "minWorkers: 2\nmaxWorkers: 2\n", ["0", "1"]),
        ("4", "minWorkers: 2\nmaxWorkers: 2\ndeviceType: cpu\n", ["None", "None"]),
        ("4", "deviceType: gpu\ndeviceIds: [3]\n", ["3"]),
        ("4", "", ["0", "1", "2", "3"]),
        ("0", "", ["None"]),
    ],
)
def test_handlers_of_torchserve(serve, tmp_path, told, gpus, config, expected):
    options = {}
    if config:
        write(tmp_path / "model-config.yaml", config)
        options["config_file"] = tmp_path / "model-config.yaml"
    archive = pack(tmp_path, tmp_path / "store", "where", HANDLER.format(told=str(told)), **options)
    server = serve(archive, "--python", VENV, env={"MODELMILL_GPUS": gpus})
    wait_until(lambda: read(told) == expected, f"{expected} are told")
    server.stop()


def test_gpus_that_are_not_there_are_none_whatever_is_visible(tmp_path, told):
    path = yaml(tmp_path, own(tmp_path, told), "device: gpu")
    result = run_cli("serve", path, "--port", 0, env={"MODELMILL_GPUS": "0", "CUDA_VISIBLE_DEVICES": "0,1"})
    assert result.returncode == 1 and "no GPUs are available" in result.stderr
