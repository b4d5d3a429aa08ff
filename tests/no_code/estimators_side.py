"""Estimators and pipelines of scikit-learn, and those of others that are like them, as people save them."""

import pickle

import joblib
import lightgbm
import numpy as np
import pandas
import side
import xgboost
from sklearn.cluster import KMeans
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_iris
from sklearn.ensemble import IsolationForest, RandomForestClassifier, RandomForestRegressor
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression, SGDClassifier
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

x, y = load_iris(return_X_y=True)
rows = x[::25]


def table_pipeline():
    frame = pandas.DataFrame(
        {"age": [20.0, 30, 40, 50] * 5, "city": ["Rome", "Oslo", "Rome", "Bern"] * 5, "kids": [0, 1, 2, 0] * 5}
    )
    numbers = Pipeline([("fill", SimpleImputer()), ("scale", StandardScaler())])
    columns = ColumnTransformer([("numbers", numbers, ["age"]), ("kinds", OneHotEncoder(), ["city", "kids"])])
    return Pipeline([("columns", columns), ("model", LogisticRegression())]).fit(frame, ["yes", "no", "no", "yes"] * 5)


def main():
    answers = side.Answers()
    folder, matrix = answers.folder, {"input-0": rows}
    iris = make_pipeline(StandardScaler(), LogisticRegression()).fit(x, y)
    joblib.dump(iris, folder / "iris.joblib")
    answers.add("iris", matrix, label=iris.predict(rows), probabilities=iris.predict_proba(rows))

    forest = RandomForestRegressor(5, random_state=0).fit(x, np.stack([y, y * 1.5], 1))
    joblib.dump(forest, folder / "packed.joblib", compress=3)
    answers.add("packed", matrix, predict=forest.predict(rows))

    search = GridSearchCV(RandomForestClassifier(5, random_state=0), {"max_depth": [1, 2]}, cv=2).fit(
        x, np.array(["setosa", "versi", "virgin"])[y]
    )
    (folder / "search.pkl").write_bytes(pickle.dumps(search))
    answers.add("search", matrix, label=search.predict(rows), probabilities=search.predict_proba(rows))

    table = table_pipeline()
    (folder / "table.pkl").write_bytes(pickle.dumps(table))
    asked = pandas.DataFrame({"age": [20.0, 31.5], "city": ["Rome", "Oslo"], "kids": [0, 2]})
    answers.add("table", asked, label=table.predict(asked), probabilities=table.predict_proba(asked))

    numbers = LinearRegression().fit(pandas.DataFrame(x, columns=["a", "b", "c", "d"]), y)
    joblib.dump(numbers, folder / "numbers.joblib")
    asked = pandas.DataFrame(rows, columns=["a", "b", "c", "d"])
    answers.add("numbers", asked, predict=numbers.predict(asked))
    answers.add("numbers_matrix", matrix, predict=numbers.predict(asked))

    text = make_pipeline(TfidfVectorizer(), SGDClassifier(random_state=0)).fit(
        ["good film", "bad film", "nice", "awful"], ["+", "-", "+", "-"]
    )
    (folder / "text.pickle").write_bytes(pickle.dumps(text, protocol=0))
    words = ["a good one", "nice ☃ and awful"]
    answers.add("text", {"text": words}, label=text.predict(words), decision=text.decision_function(words))

    scale = StandardScaler().fit(x)
    joblib.dump(scale, folder / "scale.joblib")
    answers.add("scale", matrix, output=scale.transform(rows))
    odd = IsolationForest(n_estimators=5, random_state=0).fit(x)
    joblib.dump(odd, folder / "odd.joblib")
    answers.add("odd", matrix, label=odd.predict(rows), decision=odd.decision_function(rows))
    groups = KMeans(3, n_init=1, random_state=0).fit(x)
    joblib.dump(groups, folder / "groups.joblib")
    answers.add("groups", matrix, label=groups.predict(rows))

    boosted = xgboost.XGBClassifier(n_estimators=3).fit(x, y)
    joblib.dump(boosted, folder / "xgb.joblib")
    answers.add("xgb", matrix, label=boosted.predict(rows), probabilities=boosted.predict_proba(rows))
    (folder / "booster.pkl").write_bytes(pickle.dumps(boosted.get_booster()))
    answers.add("booster", matrix, predict=boosted.get_booster().inplace_predict(rows))
    light = lightgbm.LGBMRegressor(n_estimators=3, verbose=-1).fit(x, y)
    joblib.dump(light, folder / "light.joblib")
    answers.add("light", matrix, predict=light.predict(rows))
    answers.add("iris_methods", matrix, predict=iris.predict(rows), decision_function=iris.decision_function(rows))
    answers.write()


main()
