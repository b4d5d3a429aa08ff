"""XGBoost's side of its kit: see kit.py."""

import numpy as np
import xgboost
from kits import tree_data_side as data
from xgboost import DMatrix

ROUNDS = 12
COMMON = {"nthread": 1, "max_depth": 4, "seed": 1}


def train(rows, target, **parameters):
    types = parameters.pop("feature_types", None)
    names = parameters.pop("feature_names", None)
    matrix = DMatrix(rows, target, feature_types=types, feature_names=names, enable_categorical=types is not None)
    return xgboost.train({**COMMON, **parameters}, matrix, ROUNDS)


def make(folder):
    cancer, wine, diabetes = data.load("breast_cancer"), data.load("wine"), data.load("diabetes")
    classifier = xgboost.XGBClassifier(n_estimators=40, max_depth=3, n_jobs=1, early_stopping_rounds=3, learning_rate=1.0)
    classifier.fit(cancer[0][:300], cancer[1][:300], eval_set=[(cancer[0][300:], cancer[1][300:])], verbose=False)
    assert classifier.best_iteration + 1 < classifier.get_booster().num_boosted_rounds()
    rows, relevance, sizes = data.ranking()
    ranker = xgboost.XGBRanker(objective="rank:ndcg", n_estimators=ROUNDS, n_jobs=1).fit(rows, relevance, group=sizes)
    binary = train(*cancer, objective="binary:logistic")
    several = train(*wine, objective="multi:softprob", num_class=3)
    made = {
        "regression.json": train(*diabetes),
        "wide.ubj": train(*diabetes),
        "two_targets.ubj": train(diabetes[0], np.stack([diabetes[1], -diabetes[1]], 1)),
        "binary.ubj": binary,
        "binary_margin.json": binary,
        "binary_leaf.json": binary,
        "binary_contributions.json": binary,
        "binary_class.json": binary,
        "iterations.json": binary,
        "estimator.json": classifier,
        "estimator_predict.json": classifier,
        "multiclass.json": several,
        "multiclass_class.ubj": several,
        "multiclass_contributions.ubj": several,
        "softmax.json": train(*wine, objective="multi:softmax", num_class=3),
        "softmax_probability.json": train(*wine, objective="multi:softmax", num_class=3),
        "ranking.json": ranker,
        "dart.json": train(*diabetes, booster="dart", rate_drop=0.3),
        "linear.json": train(np.nan_to_num(diabetes[0]), diabetes[1], booster="gblinear"),
        "forest.json": train(*diabetes, num_parallel_tree=5, subsample=0.5),
        "categories.json": train(*data.categories(), feature_types=["c", "c", "q", "q"]),
        "columns.json": train(
            diabetes[0], diabetes[1], feature_names=["age", "sex", "bmi", "bp", "s1", "s2", "s3", "s4", "s5", "s6"]
        ),
    }
    for file, model in made.items():
        name, _, ending = file.partition(".")
        model.save_model(data.version_folder(folder, name) / f"model.{ending}")


def load(folder):
    name = folder.parent.name
    (file,) = folder.iterdir()
    model = xgboost.XGBClassifier() if name.startswith("estimator") else xgboost.Booster()
    model.load_model(file)
    return name, model


def answer(loaded, arrays):
    name, model = loaded
    rows = data.matrix(arrays)
    if name == "estimator":
        return {"predict": model.predict_proba(rows)}
    if name == "estimator_predict":
        return {"predict": model.predict(rows).astype(np.int64)}
    types = ["c", "c", "q", "q"] if name == "categories" else model.feature_types
    matrix = DMatrix(rows, feature_names=model.feature_names, feature_types=types, enable_categorical=True, nthread=1)
    if name.endswith("_leaf"):
        return {"predict": model.predict(matrix, pred_leaf=True).astype(np.int32)}
    if name.endswith("_contributions"):
        return {"predict": model.predict(matrix, pred_contribs=True)}
    if name == "softmax_probability":
        margins = model.predict(matrix, output_margin=True).astype(np.float64)
        powers = np.exp(margins - margins.max(1, keepdims=True))
        return {"predict": (powers / powers.sum(1, keepdims=True)).astype(np.float32)}
    rounds = (0, 5) if name == "iterations" else (0, 0)
    result = model.predict(matrix, output_margin=name.endswith("_margin"), iteration_range=rounds)
    if name == "binary_class":
        return {"predict": (result > 0.3).astype(np.int64)}
    if name == "multiclass_class":
        return {"predict": result.argmax(1)}
    return {"predict": result.astype(np.float64)[:, None] if name == "wide" else result}
