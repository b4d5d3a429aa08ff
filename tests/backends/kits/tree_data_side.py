"""What the trees of the kits are trained on: scikit-learn's data sets, standardised, with values missing here and there."""

import pathlib

import numpy as np
from sklearn import datasets


def load(name):
    """(rows, what is to be predicted)"""
    rows, target = getattr(datasets, f"load_{name}")(return_X_y=True)
    rows = (rows - rows.mean(0)) / rows.std(0)
    random = np.random.default_rng(7)
    return np.where(random.random(rows.shape) < 0.05, np.nan, rows), target


def ranking():
    """(rows, relevance, size of each query)"""
    random = np.random.default_rng(3)
    rows = random.standard_normal((400, 6))
    return rows, np.clip((rows[:, 0] + rows[:, 1] * rows[:, 2]).round(), 0, 3).astype(int), [20] * 20


def categories():
    """Rows whose first two columns are numbers of categories."""
    random = np.random.default_rng(5)
    rows = random.standard_normal((600, 4))
    rows[:, 0] = random.integers(0, 5, 600)
    rows[:, 1] = random.integers(0, 3, 600)
    return rows, np.where(rows[:, 0] == 3, 2.0, rows[:, 2]) + (rows[:, 1] == 1)


def version_folder(folder, name):
    path = pathlib.Path(folder) / name / "1"
    path.mkdir(parents=True)
    return path


def matrix(arrays):
    """The one input, or the columns side by side."""
    values = list(arrays.values())
    return values[0] if len(values) == 1 else np.stack(values, 1)
