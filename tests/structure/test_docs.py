"""Documentation that cannot be wrong unnoticed: links, tasks of make, numbers of ADRs, dependencies and their licences."""

import re
import subprocess
import unittest

from tree import ROOT, files, in_folder, text

LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
PAGES = [name for name in files() if name.suffix == ".md"]


def heading_anchors(page):
    headings = re.findall(r"^#+ +(.+?)\s*$", text(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def make_targets():
    return set(re.findall(r"^([a-z][\w-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE))


class Links(unittest.TestCase):
    def test_links_resolve(self):
        wrong = []
        for page in PAGES:
            for target in LINK.findall(text(page)):
                if re.match(r"[a-z]+:", target):
                    continue
                path, _, anchor = target.partition("#")
                found = (ROOT / page.parent / path).resolve() if path else ROOT / page
                if not found.exists():
                    wrong.append(f"{page}: {target} does not exist")
                elif anchor and found.suffix == ".md" and anchor not in heading_anchors(found.relative_to(ROOT)):
                    wrong.append(f"{page}: {target} has no such heading")
        self.assertEqual(wrong, [])

    def test_files_that_are_named_exist(self):
        """`src/base/status.h` in a page's text is a promise too."""
        wrong = []
        for page in PAGES:
            if page.name == "CHANGELOG.md":
                continue
            for name in re.findall(r"`((?:src|include|backends|tools|tests|cmake|docs|python|bench)/[\w./-]+)`", text(page)):
                if not (ROOT / name).exists() and not name.startswith("bench/results"):
                    wrong.append(f"{page}: {name}")
        self.assertEqual(wrong, [])


class Commands(unittest.TestCase):
    def test_tasks_of_make_exist(self):
        targets = make_targets()
        wrong = []
        for page in PAGES:
            shown = re.findall(r"`make ([a-z][\w-]*)`", text(page))
            shown += re.findall(r"^ *(?:\$ )?make ([a-z][\w-]*)", text(page), re.MULTILINE)
            wrong += [f"{page}: make {task}" for task in shown if task not in targets]
        self.assertEqual(wrong, [])

    def test_every_task_is_described(self):
        makefile = (ROOT / "Makefile").read_text()
        described = set(re.findall(r"^([a-z][\w-]*):.*## \S", makefile, re.MULTILINE))
        self.assertEqual(make_targets() - described, {"help"})


class Metrics(unittest.TestCase):
    def test_every_metric_is_described(self):
        page = (ROOT / "docs/metrics.md").read_text()
        name = re.compile(r'"((?:nv|modelmill|process)_[a-z_]*[a-z])"')
        used = set()
        for source in in_folder("src", ".cc"):
            if not source.stem.endswith("_test"):
                used |= {found for found in name.findall(text(source)) if re.search(r"(counter|gauge|histogram)", text(source))}
        self.assertGreater(len(used), 10)
        self.assertEqual(sorted(found for found in used if f"`{found}`" not in page), [])


class Code(unittest.TestCase):
    def test_the_backend_of_the_guide_compiles(self):
        [source] = re.findall(r"^```cpp\n(.*?)^```$", (ROOT / "docs/backends.md").read_text(), re.MULTILINE | re.DOTALL)
        command = ["g++", "-std=c++20", "-Wall", "-Wextra", "-Werror", "-fsyntax-only", "-I", ROOT / "include", "-x", "c++", "-"]
        result = subprocess.run([str(word) for word in command], input=source, capture_output=True, text=True)
        self.assertEqual(result.returncode, 0, result.stderr)


class Decisions(unittest.TestCase):
    def test_records_are_numbered_and_whole(self):
        records = [name for name in in_folder("docs/adr", ".md") if name.name != "README.md"]
        numbers = [int(name.name[:4]) for name in records]
        self.assertEqual(numbers, list(range(1, len(records) + 1)))
        for record in records:
            headings = re.findall(r"^## (.+)$", text(record), re.MULTILINE)
            self.assertEqual(headings, ["Status", "Context", "Decision", "Consequences"], record)
            self.assertTrue(text(record).startswith(f"# {int(record.name[:4])}. "), record)


def requirement_files():
    """Those of build/venv; what is measured against in bench/peers has environments of its own."""
    return [page for page in files() if re.fullmatch(r"requirements[\w-]*\.txt", page.name) and "peers" not in page.parts]


class Dependencies(unittest.TestCase):
    """docs/dependencies.md names each dependency in backticks, with its licence in the same row."""

    def setUp(self):
        self.rows = {}
        for line in (ROOT / "docs/dependencies.md").read_text().splitlines():
            cells = [cell.strip() for cell in line.strip("|").split("|")]
            if line.startswith("|") and len(cells) >= 3:
                for name in re.findall(r"`([^`]+)`", cells[0]):
                    self.rows[name] = cells

    def check(self, names):
        missing = sorted(name for name in names if name not in self.rows)
        self.assertEqual(missing, [], "not in docs/dependencies.md")
        self.assertEqual([name for name in names if not self.rows[name][-1]], [], "no licence")

    def test_debian_packages(self):
        script = (ROOT / "tools/setup").read_text()
        names = [name for block in re.findall(r"_packages=\(([^)]*)\)", script) for name in block.split()]
        self.assertGreater(len(names), 10)
        self.check(names)

    def test_the_wheel_has_the_licences_of_what_is_linked_in(self):
        linked = re.search(r"^LINKED_IN = \[(.*)\]", (ROOT / "tools/build-wheel").read_text(), re.MULTILINE)[1]
        inside = ("statically", "headers only")
        expected = {name for name, cells in self.rows.items() if len(cells) == 4 and cells[2] in inside}
        self.assertGreater(len(expected), 8)
        self.assertEqual(expected - set(re.findall(r'"([^"]+)"', linked)), set())

    def test_python_packages(self):
        names = set()
        for page in requirement_files():
            for line in text(page).splitlines():
                if line and not line.startswith(("#", "-")):
                    self.assertIn("==", line, f"{page}: not pinned")
                    names.add(re.split(r"[\[=]", line)[0])
        self.check(names)

    def test_pins_agree(self):
        """A package that several files of the one environment pin has one version."""
        pins = {}
        for page in requirement_files():
            if "perf-analyzer" not in page.name:
                for name, version in re.findall(r"^([\w-]+)(?:\[[^\]]*\])?==(\S+)", text(page), re.MULTILINE):
                    pins.setdefault(name, set()).add(version)
        self.assertEqual({name: found for name, found in pins.items() if len(found) > 1}, {})


if __name__ == "__main__":
    unittest.main()
