"""What holds for every file: length, headers' guards, line ends, no path or host of one machine."""

import re
import unittest

from tree import ROOT, files, in_folder, text

CODE = (".h", ".hpp", ".c", ".cc")
LONGEST = 400
LONGEST_FUNCTION = 60  # from its name to its brace
LONGEST_INSTALLED = 1000  # an ABI in one header only grows, and its users read it as one page
# Files that are longer, and how long they may be. Only ever shrink a number or remove a line.
RATCHET = ROOT / "tests/structure/long_files.txt"

# Written in pieces, so that this file does not find itself.
MACHINE_PATHS = re.compile("|".join(["/" + name + "/" for name in ("work", "root", "home/[a-z]+")]))
HOSTS = re.compile(r"\b(" + "|".join(["pypi" + r"\.org", "python" + r"hosted\.org", r"deb\." + "debian", r"crates\." + "io",
                                      r"npmjs\." + "org", r"maven\." + "org", r"proxy\." + "golang"]) + ")")  # fmt: skip


def long_files():
    entries = {}
    for line in RATCHET.read_text().splitlines():
        if line and not line.startswith("#"):
            lines, name = line.split()
            entries[name] = int(lines)
    return entries


def functions(content):
    """(line, name, lines) of each function that begins and ends at a line's first column."""
    begin = re.compile(r"(?!(?:namespace|extern|struct|class|enum|union|using|typedef|template)\b)[A-Za-z_].*?([\w:~]+)\(.*[^;]$")
    found = None
    for number, line in enumerate(content.splitlines(), 1):
        if started := begin.match(line):
            found = (number, started[1])
        elif line in ("}", "};") and found:
            if line == "}":
                yield (*found, number - found[0] + 1)
            found = None


def is_installed(name):
    """A header that users include, today's or one of before."""
    return name.parts[0] == "include" or name.is_relative_to("tests/abi")


class Length(unittest.TestCase):
    def test_no_source_is_too_long(self):
        allowed = long_files()
        wrong = []
        for name in files():
            if name.suffix in CODE and len(name.parts) > 1:
                lines = text(name).count("\n")
                limit = allowed.get(str(name), LONGEST_INSTALLED if is_installed(name) else LONGEST)
                if lines > limit:
                    wrong.append(f"{name} has {lines} lines, at most {limit}: which second noun is hiding in it?")
        self.assertEqual(wrong, [])

    def test_no_function_is_too_long(self):
        wrong = []
        for name in files():
            # A test is one story, which a helper in its midst would not make shorter to read.
            if name.suffix not in CODE or name.stem.endswith("_test"):
                continue
            for line, function, lines in functions(text(name)):
                if lines > LONGEST_FUNCTION:
                    wrong.append(f"{name}:{line}: {function}() has {lines} lines, at most {LONGEST_FUNCTION}")
        self.assertEqual(wrong, [])

    def test_functions_are_counted(self):
        content = "int a() {\n  return 1;\n}\n\nResult<T> B::c(int d,\n            int e) const {\n\n  f();\n}\nstruct G {\n  int h() {\n  }\n};\n"
        self.assertEqual(list(functions(content)), [(1, "a", 3), (5, "B::c", 5)])

    def test_the_ratchet_is_tight(self):
        names = {str(name) for name in files()}
        loose = []
        for name, limit in long_files().items():
            lines = text(name).count("\n") if name in names else 0
            if lines <= LONGEST or lines < 0.9 * limit:
                loose.append(f"{name}: {lines} lines now, long_files.txt still says {limit}")
        self.assertEqual(loose, [])


class Form(unittest.TestCase):
    def test_headers_are_guarded(self):
        wrong = []
        for name in files():
            if name.suffix in (".h", ".hpp") and len(name.parts) > 1:
                guard = re.search(r"^#ifndef (\w+)\n#define \1$", text(name), re.MULTILINE)
                if "#pragma once" not in text(name) and not (is_installed(name) and guard):
                    wrong.append(str(name))
        self.assertEqual(wrong, [])

    def test_text_is_clean(self):
        wrong = []
        for name in files():
            content = text(name)
            if name.is_relative_to("fuzz/corpus"):
                continue  # the bytes of clients
            if content is None or name.suffix in (".csv", ".json") and name.parts[0] != "tools":
                continue
            if "\r" in content or (content and not content.endswith("\n")):
                wrong.append(f"{name}: line ends")
            if name.suffix != ".md" and re.search(r"[ \t]+$", content, re.MULTILINE):
                wrong.append(f"{name}: space at a line's end")
        self.assertEqual(wrong, [])

    def test_no_machine_is_meant(self):
        wrong = []
        for name in files():
            for number, line in enumerate((text(name) or "").splitlines(), 1):
                if MACHINE_PATHS.search(line) or HOSTS.search(line):
                    wrong.append(f"{name}:{number}: {line.strip()}")
        self.assertEqual(wrong, [])

    def test_nothing_is_left_for_later(self):
        mark = re.compile(r"\b(" + "|".join(["TO" + "DO", "FIX" + "ME", "XX" + "X"]) + r")\b")
        wrong = [str(name) for name in files() if mark.search(text(name) or "")]
        self.assertEqual(wrong, [])

    def test_tools_can_be_run(self):
        wrong = []
        for name in [*in_folder("tools"), *in_folder(".ci")]:
            runs = (text(name) or "").startswith("#!")
            if runs != bool((ROOT / name).stat().st_mode & 0o100):
                wrong.append(str(name))
        self.assertEqual(wrong, [])


if __name__ == "__main__":
    unittest.main()
