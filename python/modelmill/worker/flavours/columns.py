"""The columns of the tables that an estimator was trained on, and their types, as far as its parts remember them."""

import numpy as np

from modelmill.worker import frames

DEFAULT = frames.NUMBERS["FP64"]


def names_of(model):
    """Names of the columns, when it was trained on a table."""
    names = getattr(model, "feature_names_in_", None)
    if names is None or all(name == f"Column_{i}" for i, name in enumerate(names)):  # LightGBM's own
        return None
    return [str(name) for name in names]


def is_of_texts(model):
    """Its first step takes texts, one for each row."""
    return hasattr(_first(model), "build_analyzer")


def types_of(model, names):
    """{column: (its type, a value that it has seen)}."""
    found = dict.fromkeys(names, (DEFAULT, 0.0))
    _visit(model, list(names), found)
    return found


def _first(model):
    while hasattr(model, "steps"):
        steps = [step for _, step in model.steps if step is not None and step != "passthrough"]
        if not steps:
            break
        model = steps[0]
    return model


def _visit(part, names, found):
    """Notes what `part`, which gets the columns `names`, tells of them. True: it told something."""
    if hasattr(part, "steps"):
        return any(_visit(step, names, found) for _, step in part.steps)  # until one tells
    if hasattr(part, "transformers_"):
        told = [
            _visit(one, _chosen(names, columns), found)
            for _, one, columns in part.transformers_
            if not isinstance(one, str)
        ]
        return any(told)
    if hasattr(part, "transformer_list"):
        return any([_visit(one, names, found) for _, one in part.transformer_list])
    for attribute in ("best_estimator_", "estimator_"):
        if hasattr(part, attribute):
            return _visit(getattr(part, attribute), names, found)
    if hasattr(part, "build_analyzer"):
        found.update((name, (frames.STRING, "a")) for name in names)
        return True
    seen = getattr(part, "categories_", None)
    if seen is None:
        seen = [np.asarray([value], object) for value in getattr(part, "statistics_", ()) if isinstance(value, str)]
    if len(seen) != len(names) or not len(names):
        return False
    found.update((name, _type_of(np.asarray(values))) for name, values in zip(names, seen))
    return True


def _type_of(values):
    texts = [value for value in values.tolist() if isinstance(value, str)]
    if texts:
        return frames.STRING, texts[0]
    if values.dtype in frames.OF_NUMPY and values.dtype != object and len(values):
        return frames.OF_NUMPY[values.dtype], values[0]
    return DEFAULT, 0.0


def _chosen(names, columns):
    """The names that a ColumnTransformer's choice of columns means."""
    if isinstance(columns, str):
        return [columns]
    if isinstance(columns, slice):
        if isinstance(columns.start, str) or isinstance(columns.stop, str):
            begin = names.index(columns.start) if columns.start is not None else 0
            return names[begin : names.index(columns.stop) + 1 if columns.stop is not None else None]
        return names[columns]
    columns = np.atleast_1d(np.asarray(columns))
    if columns.dtype == bool:
        return [name for name, chosen in zip(names, columns) if chosen]
    return [str(c) if isinstance(c, str) else names[c] for c in columns.tolist()]
