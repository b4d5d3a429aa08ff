"""Keras 3's files: layers in a row, several inputs and outputs, and a layer that is code."""

import os

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "2"

import keras
import numpy as np
import side


def main():
    answers = side.Answers()
    keras.utils.set_random_seed(0)
    x = np.random.default_rng(0).random((3, 4)).astype(np.float32)
    row = keras.Sequential([keras.Input((4,), name="x"), keras.layers.Dense(3, activation="softmax", name="chances")])
    row.save(answers.folder / "row.keras")
    answers.add("row", {"x": x}, chances=row.predict_on_batch(x))

    left, right = keras.Input((4,), name="left"), keras.Input((2,), name="right", dtype="int32")
    joined = keras.layers.Concatenate()([left, keras.layers.Rescaling(0.5)(right)])
    outputs = [keras.layers.Dense(2, name="one")(joined), keras.layers.Dense(1, name="other")(joined)]
    several = keras.Model([left, right], outputs)
    several.save(answers.folder / "several.keras")
    inputs = {"left": x, "right": np.arange(6, dtype=np.int32).reshape(3, 2)}
    one, other = several.predict_on_batch(list(inputs.values()))
    answers.add("several", inputs, one=one, other=other)

    code = keras.Sequential(
        [keras.Input((4,), name="x"), keras.layers.Lambda(lambda value: 2 * value, output_shape=(4,), name="y")]
    )
    code.save(answers.folder / "code.keras")
    answers.add("code", {"x": x}, y=2 * x)
    answers.write()


main()
