"""What the conformance tests talk to: `modelmill serve`, and the wire with gRPC's interoperability service on it."""

import contextlib
import pathlib
import subprocess
import sys

import pytest

import servers
from programs import GO_TOOLS, interop_program

sys.path.insert(0, str(pathlib.Path(__file__).parent / "open_inference"))

import oip_options  # noqa: E402


OPEN_INFERENCE = pathlib.Path(__file__).parent / "open_inference"


def pytest_addoption(parser):
    oip_options.add_to(parser)


def pytest_collection_modifyitems(config, items):
    others = [item for item in items if OPEN_INFERENCE not in item.path.parents]
    if config.getoption("--url"):  # another server: of what is here, the suite of the protocol alone is about it
        config.hook.pytest_deselected(items=others)
        items[:] = [item for item in items if item not in others]
        return
    needed = [servers.binary()] + ([interop_program("interop_server"), GO_TOOLS / "h2spec"] if others else [])
    for program in needed:
        if not program.exists():
            pytest.exit(f"{program} is missing; `make conformance` makes it", returncode=2)


def serving(folder, *arguments, **options):
    """`modelmill serve` with the model `scaled`: y = 3 x."""
    import models  # not at the top: who judges another server needs no ONNX

    return servers.serving(folder, models.save(models.scaled(3), folder / "scaled.onnx"), *arguments, **options)


@pytest.fixture(scope="session")
def served(tmp_path_factory):
    with serving(tmp_path_factory.mktemp("served")) as server:
        yield server


@pytest.fixture(scope="session")
def served_over_tls(tmp_path_factory):
    from certificates import Authority

    folder = tmp_path_factory.mktemp("tls")
    authority = Authority(folder / "authority")
    certificate, key = authority.sign("server")
    with serving(folder, f"--tls-cert={certificate}", f"--tls-key={key}", tls=authority.trust()) as server:
        yield server


@pytest.fixture(scope="session")
def interop_port():
    """The port of a server with grpc.testing.TestService."""
    process = subprocess.Popen([interop_program("interop_server")], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    with contextlib.closing(process.stdin), process.stdout:
        yield int(process.stdout.readline())
        assert process.poll() is None, f"the interop server has exited with {process.returncode}"
    assert process.wait(60) == 0
