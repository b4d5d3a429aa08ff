"""CatBoost's files: numbers, and a table with categories."""

import catboost
import pandas
import side
from sklearn.datasets import load_iris

OPTIONS = {"iterations": 5, "verbose": False, "allow_writing_files": False, "random_seed": 0}


def main():
    answers = side.Answers()
    x, y = load_iris(return_X_y=True)
    rows = x[::25]
    classes = catboost.CatBoostClassifier(**OPTIONS).fit(x, y)
    classes.save_model(answers.folder / "classes.cbm")
    answers.add(
        "classes", {"input-0": rows}, label=classes.predict(rows)[:, 0], probabilities=classes.predict_proba(rows)
    )
    number = catboost.CatBoostRegressor(**OPTIONS).fit(x, y)
    number.save_model(answers.folder / "number.cbm")
    answers.add("number", {"input-0": rows}, predict=number.predict(rows))
    table = pandas.DataFrame({"age": [20.0, 30, 40, 50] * 5, "city": ["Rome", "Oslo", "Rome", "Bern"] * 5})
    words = catboost.CatBoostClassifier(**OPTIONS, cat_features=["city"]).fit(table, ["yes", "no", "no", "yes"] * 5)
    words.save_model(answers.folder / "words.cbm")
    asked = table[:3]
    answers.add("words", asked, label=words.predict(asked), probabilities=words.predict_proba(asked))
    answers.write()


main()
