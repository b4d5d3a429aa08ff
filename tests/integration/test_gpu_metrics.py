"""What a driver's management library tells of GPUs, under Triton's and TorchServe's names; the library is a made-up one."""

import os
import pathlib
import subprocess

import pytest

import models

SOURCE = pathlib.Path(__file__).with_name("fake_nvml.c")
UUID = "GPU-11111111-2222-3333-4444-555555555555"


@pytest.fixture
def driver(tmp_path):
    """The variables of a server that finds it."""
    compiler = [os.environ.get("CC", "cc"), "-std=gnu99", "-Wall", "-Werror", "-shared", "-fPIC"]
    subprocess.run([*compiler, str(SOURCE), "-o", str(tmp_path / "libnvidia-ml.so.1")], check=True, timeout=60)
    return {"LD_LIBRARY_PATH": f"{tmp_path}:{os.environ.get('LD_LIBRARY_PATH', '')}"}


@pytest.fixture
def mlp(tmp_path):
    return models.save(models.mlp((4, 8, 3)), tmp_path / "mlp.onnx")


def samples(server, path):
    lines = server.get(path)[1].decode().splitlines()
    return dict(line.rsplit(" ", 1) for line in lines if line and line[0] != "#")


def test_gpus_are_told_of(serve, mlp, driver):
    server = serve(mlp, env=driver)
    labels = f'{{gpu_uuid="{UUID}",gpu="0"}}'
    told = {name: value for name, value in samples(server, "/metrics").items() if name.startswith(("nv_gpu", "nv_energy"))}
    assert told == {
        f"nv_gpu_utilization{labels}": "0.4",
        f"nv_gpu_power_usage{labels}": "90",
        f"nv_gpu_power_limit{labels}": "250",
    }
    ours = {name.partition("{")[0]: value for name, value in samples(server, "/torchserve/metrics").items() if 'DeviceId="0"' in name}
    assert ours == {"GPUUtilization": "40", "GPUMemoryUsed": "2048", "GPUMemoryUtilization": "25"}


def test_nothing_without_a_driver(serve, mlp):
    server = serve(mlp, env={"LD_LIBRARY_PATH": ""})
    if pathlib.Path("/dev/nvidiactl").exists():
        pytest.skip("this machine has a GPU")
    assert not [name for name in samples(server, "/metrics") if name.startswith("nv_gpu_util")]
