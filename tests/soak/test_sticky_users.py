"""A hundred thousand users of one route, and the shares of its arms changing beneath them."""

import pytest
import servers
import sticky_users
from changing_models import write_versions


@pytest.mark.timeout(600)
def test_nobody_of_100_000_leaves_an_arm_that_grows(tmp_path):
    with servers.serving(tmp_path, write_versions(tmp_path / "models", "m", 1, 2)) as server:
        sticky_users.check_nobody_leaves(server, 100_000)
