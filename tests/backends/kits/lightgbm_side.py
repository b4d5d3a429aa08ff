"""LightGBM's side of its kit: see kit.py."""

import lightgbm
import numpy as np
from kits import tree_data_side as data

ROUNDS = 12
COMMON = {"num_threads": 1, "num_leaves": 15, "verbose": -1, "seed": 1, "min_data_in_leaf": 3}


def train(rows, target, **parameters):
    given = {key: parameters.pop(key) for key in ("categorical_feature", "feature_name", "group") if key in parameters}
    return lightgbm.train({**COMMON, **parameters}, lightgbm.Dataset(rows, target, **given), ROUNDS)


def make(folder):
    cancer, wine, diabetes = data.load("breast_cancer"), data.load("wine"), data.load("diabetes")
    rows, relevance, sizes = data.ranking()
    binary = train(*cancer, objective="binary")
    several = train(*wine, objective="multiclass", num_class=3)
    made = {
        "regression.lgb": train(*diabetes, objective="regression"),
        "wide.txt": train(*diabetes, objective="regression_l1"),
        "poisson.txt": train(diabetes[0], diabetes[1], objective="poisson"),
        "binary.txt": binary,
        "binary_margin.txt": binary,
        "binary_leaf.txt": binary,
        "binary_contributions.txt": binary,
        "binary_class.txt": binary,
        "binary_probability.txt": binary,
        "iterations.txt": binary,
        "multiclass.txt": several,
        "multiclass_class.txt": several,
        "multiclass_contributions.txt": several,
        "one_versus_all.txt": train(*wine, objective="multiclassova", num_class=3),
        "ranking.txt": train(rows, relevance, objective="lambdarank", group=sizes),
        "dart.txt": train(*diabetes, boosting="dart"),
        "forest.txt": train(*diabetes, boosting="rf", bagging_freq=1, bagging_fraction=0.6),
        "linear.txt": train(np.nan_to_num(diabetes[0]), diabetes[1], linear_tree=True),
        "categories.txt": train(*data.categories(), categorical_feature=[0, 1]),
        "columns.txt": train(
            *diabetes, feature_name=["age", "sex", "bmi", "bp", "s1", "s2", "s3", "s4", "s5", "s6"]
        ),
    }
    for file, model in made.items():
        name, _, ending = file.partition(".")
        model.save_model(data.version_folder(folder, name) / f"model.{ending}")


def load(folder):
    (file,) = folder.iterdir()
    return folder.parent.name, lightgbm.Booster(model_file=file)


def answer(loaded, arrays):
    name, model = loaded
    result = model.predict(
        data.matrix(arrays),
        raw_score=name.endswith("_margin"),
        pred_leaf=name.endswith("_leaf"),
        pred_contrib=name.endswith("_contributions"),
        num_iteration=5 if name == "iterations" else None,
        num_threads=1,
    )
    if name.endswith("_leaf"):
        return {"predict": result.astype(np.int32)}
    if name == "binary_class":
        return {"predict": (result > 0.5).astype(np.int64)}
    if name == "binary_probability":
        return {"predict": np.stack([1 - result, result], 1)}
    if name == "multiclass_class":
        return {"predict": result.argmax(1)}
    return {"predict": result}
