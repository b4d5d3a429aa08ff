"""A program that tells by its exit status whether this Python has what a requirements.txt asks for already, or what a
conda.yaml has for pip:

    python .../modelmill/worker/requirements.py [--list] FILE

0: all of it is here. 1: something is not, or is said in a way that pip alone understands. With --list it prints what is
asked for, line by line, instead.
"""

import os
import re
import sys
from importlib import metadata

# Of these the worker reads the pickles itself, without MLflow.
_WITHOUT_MLFLOW = re.compile(r"loader_module: mlflow\.(sklearn|xgboost|lightgbm)\s")


def _requirement_of(text):
    try:
        from packaging.requirements import Requirement
    except ImportError:
        from pip._vendor.packaging.requirements import Requirement
    return Requirement(text)


def _version_of(name):
    for candidate in (name, "mlflow-skinny") if name == "mlflow" else (name,):
        try:
            return metadata.version(candidate)
        except metadata.PackageNotFoundError:
            pass
    return None


def is_satisfied(line):
    requirement = _requirement_of(line)
    if requirement.marker is not None and not requirement.marker.evaluate():
        return True
    version = _version_of(requirement.name)
    return (
        version is not None
        and not requirement.url
        and not requirement.extras
        and requirement.specifier.contains(version, True)
    )


def _of_conda(text):
    """The items of the list `pip` among the dependencies, as MLflow and conda write them: one a line."""
    found, within = [], None
    for line in text.splitlines():
        indent, item = len(line) - len(line.lstrip()), line.strip()
        if re.match(r"-\s+pip:$", item):
            within = indent
        elif within is not None and item and not item.startswith("#"):
            if indent <= within or not item.startswith("- "):
                break
            found.append(item[2:].strip().strip("'\""))
    return found


def lines_of(path):
    with open(path, encoding="utf-8") as file:
        text = file.read()
    lines = _of_conda(text) if path.endswith(".yaml") else text.splitlines()
    lines = [line.partition(" #")[0].strip() for line in lines]
    wanted = [line for line in lines if line and not line.startswith("#")]
    about = os.path.join(os.path.dirname(os.path.abspath(path)), "MLmodel")
    if os.path.exists(about):
        with open(about, encoding="utf-8") as file:
            if _WITHOUT_MLFLOW.search(file.read()):
                wanted = [line for line in wanted if not re.match(r"mlflow\b(?!-)", line)]
    return wanted


def main():
    if sys.argv[1] == "--list":
        print("\n".join(lines_of(sys.argv[2])))
        return 0
    try:
        return 0 if all(is_satisfied(line) for line in lines_of(sys.argv[1])) else 1
    except Exception:  # of lines that are no requirement, such as options
        return 1


if __name__ == "__main__":
    sys.exit(main())
