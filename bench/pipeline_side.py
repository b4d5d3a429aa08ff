"""Writes a pipeline of scikit-learn to the file that is named, in its own Python (build/venvs/trees)."""

import sys

import joblib
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

joblib.dump(make_pipeline(StandardScaler(), LogisticRegression()).fit(*load_iris(return_X_y=True)), sys.argv[1])
