"""Holds the order of the modules: a module includes only what is below it, and the two planes never each other.

The order is that of the add_subdirectory lines in the top CMakeLists.txt.
"""

import itertools
import re
import unittest

from tree import ROOT, in_folder, text

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^">]+)[">]', re.MULTILINE)
MODULE = re.compile(r"^\s*mm_module\((\w+)([^)]*)\)", re.MULTILINE)
CODE = (".h", ".hpp", ".c", ".cc")
DATA_PLANE = {"cache", "schedule", "route", "ensemble", "serve"}
CONTROL_PLANE = {"state", "storage", "repository", "lifecycle", "rollout", "experiment", "learning"}


def module_order():
    lines = re.findall(r"^add_subdirectory\(src/(\w+)\)", (ROOT / "CMakeLists.txt").read_text(), re.MULTILINE)
    return {module: place for place, module in enumerate(lines)}


def violation(order, user, used):
    """Why module `user` may not use module `used`; None if it may."""
    if order[used] > order[user]:
        return f"{used} is above {user}"
    for plane, other in itertools.permutations((DATA_PLANE, CONTROL_PLANE), 2):
        if user in plane and used in other:
            return f"{user} and {used} are of different planes"
    return None


class ModuleOrder(unittest.TestCase):
    def setUp(self):
        self.order = module_order()

    def test_every_module_is_in_the_build(self):
        folders = {name.parts[1] for name in in_folder("src") if len(name.parts) > 2}
        self.assertEqual(folders, set(self.order))

    def test_includes(self):
        wrong = []
        for name in in_folder("src", *CODE):
            user = name.parts[1]
            for _, path in INCLUDE.findall(text(name)):
                used = path.split("/")[0]
                why = violation(self.order, user, used) if used in self.order and user in self.order else None
                if why:
                    wrong.append(f"{name} includes {path}: {why}")
        self.assertEqual(wrong, [])

    def test_includes_are_written_from_src(self):
        wrong = [
            f"{name}: {path}"
            for name in in_folder("src", *CODE)
            for quote, path in INCLUDE.findall(text(name))
            if path.startswith(".") or (quote == "<" and path.split("/")[0] in self.order | {"modelmill": 0})
        ]
        self.assertEqual(wrong, [])

    def test_linked_modules(self):
        wrong = []
        for name in in_folder("src"):
            if name.name != "CMakeLists.txt":
                continue
            for user, arguments in MODULE.findall(text(name)):
                for used in re.findall(r"\bmm_(\w+)", arguments.split("TEST_DEPS")[0]):
                    why = violation(self.order, user, used) if used in self.order else None
                    if why:
                        wrong.append(f"{name}: {why}")
        self.assertEqual(wrong, [])

    def test_backends_know_only_the_abi(self):
        """And backends/support, which is no backend: it is linked into each of ours."""
        wrong = []
        for name in in_folder("backends", *CODE):
            if len(name.parts) < 3:
                continue
            own = {other.name for other in in_folder(f"backends/{name.parts[1]}", *CODE)}
            for quote, path in INCLUDE.findall(text(name)):
                inside = path.split("/")[0] in self.order
                foreign = quote == '"' and not path.startswith(("modelmill/", "support/")) and path.split("/")[-1] not in own
                # Tests of a backend may use the host's side of the wall, to load it as the server does.
                if (inside or foreign) and not name.stem.endswith("_test"):
                    wrong.append(f"{name} includes {path}")
        self.assertEqual(wrong, [])

    def test_installed_headers_stand_alone(self):
        """They include the language's own headers, and each other by relative paths, so that any install works."""
        wrong = []
        for name in in_folder("include", ".h", ".hpp"):
            for quote, path in INCLUDE.findall(text(name)):
                if quote == "<" and "/" in path or quote == '"' and not (ROOT / name.parent / path).is_file():
                    wrong.append(f"{name} includes {path}")
        self.assertEqual(wrong, [])


class TheRule(unittest.TestCase):
    """The rule itself, on made-up orders, so that it cannot pass by never saying no."""

    order = {"base": 0, "schedule": 1, "repository": 2, "serve": 3}

    def test_upwards(self):
        self.assertIn("above", violation(self.order, "base", "serve"))
        self.assertIsNone(violation(self.order, "serve", "base"))

    def test_planes(self):
        self.assertIn("planes", violation(self.order, "serve", "repository"))
        self.assertIn("planes", violation(self.order, "repository", "schedule"))
        self.assertIsNone(violation(self.order, "serve", "schedule"))


if __name__ == "__main__":
    unittest.main()
