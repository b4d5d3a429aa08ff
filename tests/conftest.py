"""The mark of tests that stand on the scoreboard of other people's suites and clients, docs/conformance.md.

`@pytest.mark.conformance(SUITE)`, with one of the suites of tests/scoreboard.py; "{name}" in it is the test's parameter of
that name. A test counts as one, or as the cases that it counts itself: `record_property("cases", cases(...))`.
"""

import pytest

import scoreboard


def pytest_configure(config):
    config.addinivalue_line("markers", "conformance(suite): a test that docs/conformance.md counts under this suite")


def pytest_itemcollected(item):
    mark = item.get_closest_marker("conformance")
    if mark is None:
        return
    suite = mark.args[0].format(**item.callspec.params) if hasattr(item, "callspec") else mark.args[0]
    if suite not in scoreboard.NAMES:
        raise pytest.UsageError(f"{item.nodeid}: tests/scoreboard.py has no suite '{suite}'")
    item.user_properties.append(("suite", suite))
