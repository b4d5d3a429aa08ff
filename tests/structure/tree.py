"""The repository's files, as the structure tests look at them. Standard library only."""

import functools
import pathlib
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]


@functools.cache
def files():
    """Every file that is tracked or could be: paths relative to ROOT, sorted."""
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, check=True, capture_output=True, text=True,
    )  # fmt: skip
    names = {pathlib.PurePosixPath(name) for name in listing.stdout.split("\0") if name}
    return sorted(name for name in names if (ROOT / name).is_file())


def in_folder(folder, *suffixes):
    return [name for name in files() if name.is_relative_to(folder) and (not suffixes or name.suffix in suffixes)]


@functools.cache
def text(name):
    """The file's text; None for a binary file."""
    data = (ROOT / name).read_bytes()
    if b"\0" in data:
        return None
    try:
        return data.decode()
    except UnicodeDecodeError:
        return None
