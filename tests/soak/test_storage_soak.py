"""The kill -9 loop of tests/integration/test_storage_kill.py, for longer."""

import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "integration"))
import test_storage_kill  # noqa: E402


@pytest.mark.timeout(600)
def test_killed_two_hundred_times(tmp_path):
    test_storage_kill.kill_loop(tmp_path, 200)
