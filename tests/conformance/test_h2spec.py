"""h2spec: the rules of HTTP/2 and HPACK, case by case, against `modelmill serve`, plain and over TLS. A section of it is a test here."""

import re
import subprocess
import xml.etree.ElementTree as ElementTree

import pytest

from programs import GO_TOOLS
from scoreboard import cases

# Section 4.2 apart from its neighbours, for it has an option of its own.
SECTIONS = ["generic", "hpack"]
SECTIONS += [f"http2/{number}" for number in ("3", "4.1", "4.2", "4.3", "5", "6", "7", "8")]

# Cases that need other settings than h2spec's own.
OPTIONS = {
    # Five headers that are meant to be larger together than a frame may be; ours may have 1 MB.
    "http2/4.2": ["--max-header-length", "400000"],
}

@pytest.fixture(params=["plain", "tls"])
def h2spec(request, tmp_path):
    """h2spec(section) runs it: {(section, case): None, or what is wrong}."""
    served = request.getfixturevalue("served" if request.param == "plain" else "served_over_tls")
    transport = [] if request.param == "plain" else ["--tls", "--insecure"]

    def run(section):
        report = tmp_path / "report.xml"
        subprocess.run(
            [GO_TOOLS / "h2spec", section, "-h", served.host, "-p", str(served.port), "-P", "/v2", "-j", report,
             "--strict", *transport, *OPTIONS.get(section, ())],
            capture_output=True, timeout=100,
        )  # fmt: skip
        results = {}
        for case in ElementTree.parse(report).iter("testcase"):
            wrong = case.find("failure")
            if wrong is None:
                wrong = case.find("error")
            key = case.get("package"), case.get("classname")
            results[key] = None if wrong is None else " ".join("".join(wrong.itertext()).split())
            assert case.find("skipped") is None, f"{key} was skipped"
        return results

    return run


@pytest.mark.conformance("h2spec")
@pytest.mark.parametrize("section", SECTIONS)
def test_section(h2spec, section, record_property):
    results = h2spec(section)
    assert results, "h2spec has run no case"
    failed = {case: wrong for case, wrong in results.items() if wrong is not None}
    record_property("cases", cases(len(results) - len(failed), [" ".join(case) for case in failed]))
    assert failed == {}


def test_no_case_is_left_out():
    def count(*sections):
        listing = subprocess.run(
            [GO_TOOLS / "h2spec", *sections, "--dryrun", "--strict"], capture_output=True, text=True, check=True
        )
        return len(re.findall(r"^ +\d+: ", listing.stdout, re.MULTILINE))

    assert count() > 100
    assert sum(count(section) for section in SECTIONS) == count()
