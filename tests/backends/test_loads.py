"""A hundred loads and unloads take no more memory than the same by the framework alone."""

import contextlib
import shutil

import pytest

import servers
from changing_models import control
from kit import assert_close
from stand import FrameworkProcess

LOADS, SETTLED = 100, 30
MARGIN = 8e6  # bytes; allocators of both sides


def served_loads(stand, model, tmp_path):
    """RSS of a server after SETTLED and after LOADS loads, each with a request and an unload."""
    repository = tmp_path / "models"
    shutil.copytree(stand.repository / model.name, repository / model.name)
    arrays = model.draw((2,))
    (expected,) = stand.answers(model, [arrays])
    sizes = []
    environment = stand.kit.environment()
    with servers.serving(tmp_path, repository, "--model-control-mode=explicit", env=environment) as server:
        for _ in range(LOADS):
            assert control(server, model.name, "load") == (200, "")
            with stand.client(server=server) as client:
                assert_close(model, stand.ask(client, model, arrays), expected)
            assert control(server, model.name, "unload") == (200, "")
            sizes.append(server.rss_bytes())
        servers.wait_until(lambda: server.children() == [], "the last worker is gone")
    return sizes[SETTLED - 1], sizes[-1]


@pytest.mark.role("loads")
@pytest.mark.timeout(300)
def test_a_hundred_loads(stand, model, tmp_path, capsys):
    settled, last = served_loads(stand, model, tmp_path)
    with contextlib.closing(FrameworkProcess(stand.kit)) as framework:
        bare_settled, bare_last = framework.loads(stand.version_folder(model), model.draw((2,)), SETTLED, LOADS)
    with capsys.disabled():
        print(
            f"\n{stand.kit.backend}: {(last - settled) / 1e6:+.1f} MB from load {SETTLED} to {LOADS}"
            f" ({last / 1e6:.0f} MB); by the framework alone {(bare_last - bare_settled) / 1e6:+.1f} MB"
        )
    assert last - settled < max(0, bare_last - bare_settled) + MARGIN
