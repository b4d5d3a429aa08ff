"""The tests of this folder run once for every kit, or for every model of a kit that has the role they name."""

import importlib
import pathlib

import pytest

from stand import Stand

KITS = [
    importlib.import_module(f"kits.{path.stem}").KIT
    for path in sorted((pathlib.Path(__file__).parent / "kits").glob("*.py"))
    if not path.stem.endswith("_side") and path.stem != "__init__"
]


def pytest_configure(config):
    config.addinivalue_line("markers", "role(name): runs for every model of every kit that has this role")


def pytest_generate_tests(metafunc):
    if "model" in metafunc.fixturenames:
        role = metafunc.definition.get_closest_marker("role").args[0]
        cases = [(kit, model) for kit in KITS for model in kit.of_role(role)]
        ids = [f"{kit.backend}-{model.name}" for kit, model in cases]
        metafunc.parametrize("kit,model", cases, ids=ids, scope="session")
    elif "kit" in metafunc.fixturenames:
        metafunc.parametrize("kit", KITS, ids=[kit.backend for kit in KITS], scope="session")


def _installed(kit):
    if not kit.python.exists() or kit.runtime_path() is None:
        pytest.fail(f"{kit.runtime} is not installed in {kit.venv}: run tools/setup test")
    return kit


@pytest.fixture(scope="session")
def _stands(tmp_path_factory):
    stands = {}

    def of(kit):
        if kit not in stands:
            stands[kit] = Stand(_installed(kit), tmp_path_factory.mktemp(kit.backend))
        return stands[kit]

    yield of
    for stand in stands.values():
        stand.close()


@pytest.fixture
def stand(kit, _stands):
    """The kit's server and framework, shared by its tests."""
    return _stands(kit)


@pytest.fixture
def stand_of(_stands):
    """stand_of(BACKEND), for tests of one backend alone."""
    return lambda backend: _stands(next(kit for kit in KITS if kit.backend == backend))


@pytest.fixture
def installed(kit):
    """The kit, where its runtime is there; for tests with a server of their own."""
    return _installed(kit)
