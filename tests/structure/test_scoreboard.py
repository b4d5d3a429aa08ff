"""The scoreboard: how results become rows, and that docs/conformance.md is of today's pins."""

import pathlib
import re
import sys
import tempfile
import unittest

from tree import ROOT

sys.path.insert(0, str(ROOT / "tests"))

import scoreboard  # noqa: E402


def junit(*cases):
    """(suite, name, what is inside of it, cases that it counted itself) of each."""
    text = "<testsuites><testsuite>"
    for suite, name, inside, counted in cases:
        properties = f'<property name="suite" value="{suite}"/>' if suite else ""
        if counted:
            properties += "<property name='cases' value='%s'/>" % counted.replace("'", "&apos;")
        text += f'<testcase name="{name}"><properties>{properties}</properties>{inside}</testcase>'
    file = pathlib.Path(tempfile.mkdtemp()) / "report.xml"
    file.write_text(text + "</testsuite></testsuites>")
    return file


def read(*cases):
    scores = {}
    scoreboard.read(junit(*cases), scores)
    return scores


class Reading(unittest.TestCase):
    def test_each_outcome(self):
        scores = read(
            ("h2spec", "a", "", ""),
            ("h2spec", "b", "<failure/>", ""),
            ("h2spec", "c", "<error/>", ""),
            ("h2spec", "d", '<skipped message="not here"/>', ""),
            ("", "of no suite", "", ""),
        )
        self.assertEqual(list(scores), ["h2spec"])
        score = scores["h2spec"]
        self.assertEqual((score.passed, score.failed, dict(score.skipped)), (1, ["b", "c"], {"not here": 1}))

    def test_cases_that_a_test_counts_itself(self):
        score = read(("openai", "a", "<failure/>", scoreboard.cases(5, ["x"], {"why": 2})))["openai"]
        self.assertEqual((score.passed, score.failed, dict(score.skipped)), (5, ["x"], {"why": 2}))
        score = read(("openai", "a", "<failure/>", scoreboard.cases(5)))["openai"]
        self.assertEqual((score.passed, score.failed), (5, ["a"]), "a test that fails beside its cases counts")

    def test_what_has_not_run(self):
        scores = read(("openai", "a", "", ""))
        self.assertNotIn("openai", scoreboard.missing(scores))
        self.assertIn("h2spec", scoreboard.missing(scores))

    def test_the_page_names_what_failed_here_but_not_elsewhere(self):
        page = scoreboard.write(read(("openai", "a", "<failure/>", ""), ("MLServer", "b", "", scoreboard.cases(1, ["does|so"]))))
        self.assertIn("- openai: `a`", page)
        self.assertRegex(page, r"\| openai \| [\d.]+ \| .* \| 0 \| 1 \| 0 \|")
        self.assertIn("- MLServer: does|so", page)


def rows_of(page):
    """(suite, version, passed, failed) of each."""
    return re.findall(r"^\| ([^|]+) \| ([^|]+) \| [^|]+ \| (\d+) \| (\d+) \|", page, re.MULTILINE)


def failed_here(page):
    """The suites that failed on this server; what others fail is theirs."""
    elsewhere = {suite.name for suite in scoreboard.PEERS}
    return [name for name, _, _, failed in rows_of(page) if name not in elsewhere and failed != "0"]


class Failures(unittest.TestCase):
    def test_ours_are_told_from_those_of_others(self):
        page = scoreboard.write(read(("openai", "a", "<failure/>", ""), ("MLServer", "b", "<failure/>", "")))
        self.assertEqual(failed_here(page), ["openai"])


class Page(unittest.TestCase):
    def setUp(self):
        self.page = (ROOT / "docs/conformance.md").read_text()

    def test_nothing_failed(self):
        self.assertEqual(failed_here(self.page), [], "mend it, and have make conformance write the page anew")

    def test_it_is_of_the_versions_that_are_pinned(self):
        rows = rows_of(self.page)
        told = {name: version for name, version, _, _ in rows}
        pinned = {suite.name: suite.version() for _, suites in scoreboard.GROUPS for suite in suites}
        installed = "gRPC C++"  # by Debian
        self.assertEqual({**told, installed: ""}, {**pinned, installed: ""}, "make conformance writes it anew")
        self.assertTrue(all(int(passed) for _, _, passed, _ in rows))


if __name__ == "__main__":
    unittest.main()
