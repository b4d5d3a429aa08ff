"""No circles among the imports of our Python modules, imports inside functions included: two modules that need each other
are one, or lack a lower one that has what both need."""

import ast
import graphlib
import pathlib
import tempfile
import unittest

from tree import ROOT, in_folder

FOLDERS = ("python", "tests", "bench", "tools", "examples")
# Where else than beside itself a file finds modules, by the folder it lies in.
ROOTS = {
    "python": ("python",),
    "tests": ("tests", "tests/backends", "python"),
    "bench": ("bench", "tests", "python"),
}
# Folders without __init__.py whose modules are imported by the folder's name.
NAMESPACES = ("tests/backends/kits", "bench/peers")
# Packages that workers know by another name than that of their place.
ALIASES = {"mlserver": "python/modelmill/mlserver", "ts": "python/modelmill/ts"}


class Tree:
    """Python files below a folder, and which of them an import means. Paths are relative to it, and pure."""

    def __init__(self, root, files, roots, namespaces=(), aliases=None):
        self.root, self.files, self.roots = root, set(files), roots
        self.namespaces, self.aliases = {pathlib.PurePosixPath(folder) for folder in namespaces}, aliases or {}

    def graph(self):
        """{file: the files that it imports}"""
        return {file: self.imported_by(file) for file in sorted(self.files)}

    def imported_by(self, file):
        """Not the packages on the way to a module, whose __init__.py runs first and may well import that module."""
        found = set()
        for node in ast.walk(ast.parse((self.root / file).read_text(), str(file))):
            if isinstance(node, ast.Import):
                found |= {self.module(file, alias.name.split(".")) for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                found |= {self.member(file, node, alias.name) for alias in node.names}
        return found - {None, file}

    def member(self, file, node, name):
        """What `from X import name` means: the module of that name, or else X, which has it."""
        names = node.module.split(".") if node.module else []
        if node.level:
            folder = file.parents[node.level - 1]
            return self.at(folder.joinpath(*names, name)) or self.at(folder.joinpath(*names))
        return self.module(file, [*names, name]) or self.module(file, names)

    def module(self, file, names):
        if names[0] in self.aliases:
            return self.at(pathlib.PurePosixPath(self.aliases[names[0]], *names[1:]))
        places = [file.parent, *self.roots.get(file.parts[0], ())]
        if self.is_package(file.parent):
            places = places[1:]
        return next((found for place in places if (found := self.at(pathlib.PurePosixPath(place, *names)))), None)

    def is_package(self, folder):
        return folder in self.namespaces or folder / "__init__.py" in self.files

    def at(self, path):
        for file in (path.with_name(path.name + ".py"), path / "__init__.py"):
            if file in self.files:
                return file
        return None


def circle(graph):
    """The files of a circle, each of which imports the next; None where there is none."""
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        return list(reversed(error.args[1]))
    return None


def ours():
    return Tree(ROOT, [name for folder in FOLDERS for name in in_folder(folder, ".py")], ROOTS, NAMESPACES, ALIASES)


class Imports(unittest.TestCase):
    def test_no_circle(self):
        self.assertIsNone(circle(ours().graph()))

    def test_imports_are_found(self):
        """One of each kind, lest files that are not found be taken for files that import nothing."""
        graph = {str(file): {str(one) for one in imported} for file, imported in ours().graph().items()}
        for file, imported in (
            ("python/modelmill/__init__.py", "python/modelmill/api.py"),  # in a function
            ("python/modelmill/api.py", "python/modelmill/worker/session.py"),  # as another name
            ("python/modelmill/triton/calls.py", "python/modelmill/triton/errors.py"),  # by a dot
            ("python/modelmill/worker/flavours/own.py", "python/modelmill/worker/serving.py"),  # by two
            ("python/modelmill/ts/torch_handler/base_handler.py", "python/modelmill/ts/utils/util.py"),  # by an alias
            ("tests/integration/conftest.py", "tests/servers.py"),  # from a root
            ("tests/backends/test_trees.py", "tests/backends/kits/xgboost.py"),  # by a folder's name
            ("bench/workloads.py", "tests/models.py"),
            ("bench/peers/python_models.py", "bench/peers/run.py"),
        ):
            self.assertIn(imported, graph[file], file)
        self.assertNotIn("tests/backends/kits/xgboost.py", graph["tests/backends/kits/xgboost_side.py"])


class TheRule(unittest.TestCase):
    """On made-up modules, so that it cannot pass by never finding a circle."""

    def find(self, **sources):
        root = pathlib.Path(tempfile.mkdtemp())
        for name, text in sources.items():
            file = root / (name.replace("__", "/") + ".py")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        files = [pathlib.PurePosixPath(file.relative_to(root)) for file in root.rglob("*.py")]
        found = circle(Tree(root, files, {}, namespaces=("p",)).graph())
        return found and {str(file) for file in found}

    def test_circles(self):
        self.assertIsNone(self.find(a="import b, c", b="from c import x", c="import json"))
        self.assertEqual(self.find(a="import b", b="from c import x", c="import a"), {"a.py", "b.py", "c.py"})
        self.assertEqual(self.find(a="def f():\n    import b", b="import a"), {"a.py", "b.py"})

    def test_circles_in_a_package(self):
        self.assertEqual(self.find(p__a="from . import b", p__b="from .a import x"), {"p/a.py", "p/b.py"})
        self.assertEqual(self.find(p__a="from .q import b", p__q__b="from .. import a"), {"p/a.py", "p/q/b.py"})
        self.assertIsNone(self.find(p__json="import b", p__b="import json"), "a package's modules aren't found by bare names")


if __name__ == "__main__":
    unittest.main()
