"""The TensorFlow kit's side in TensorFlow's own Python: SavedModels by tf.Module, Keras and TensorFlow 1's builder."""

import os
import shutil

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

DTYPES = {
    "BOOL": tf.bool, "UINT8": tf.uint8, "UINT16": tf.uint16, "UINT32": tf.uint32, "UINT64": tf.uint64,
    "INT8": tf.int8, "INT16": tf.int16, "INT32": tf.int32, "INT64": tf.int64, "FP16": tf.float16,
    "BF16": tf.bfloat16, "FP32": tf.float32, "FP64": tf.float64, "BYTES": tf.string,
}  # fmt: skip
SIZES = (64, 128, 64, 10)
WORDS = ("apple", "pear", "plum")


def spec(name, shape, dtype=tf.float32):
    return tf.TensorSpec(shape, dtype, name=name)


class Function(tf.Module):
    """One function of inputs by name, which gives {name: output}."""

    def __init__(self, body, *specs):
        self.call = tf.function(body, input_signature=list(specs))

    def save(self, folder):
        tf.saved_model.save(self, str(folder), signatures=self.call)


class Mlp(tf.Module):
    def __init__(self, seed=1):
        random = np.random.default_rng(seed)
        self.weights = [
            tf.Variable(random.normal(size=sizes).astype(np.float32) / 8) for sizes in zip(SIZES, SIZES[1:], strict=False)
        ]

    @tf.function(input_signature=[spec("x", [None, SIZES[0]])])
    def call(self, x):
        for weights in self.weights[:-1]:
            x = tf.nn.relu(tf.matmul(x, weights))
        return {"y": tf.matmul(x, self.weights[-1])}

    def save(self, folder):
        tf.saved_model.save(self, str(folder), signatures=self.call)


class Last(tf.Module):
    """Answers with what it was asked the time before."""

    def __init__(self):
        self.kept = tf.Variable(np.zeros(512, np.float32))

    @tf.function(input_signature=[spec("x", [512])])
    def call(self, x):
        before = tf.identity(self.kept.read_value())
        self.kept.assign(x)
        return {"before": before}

    def save(self, folder):
        tf.saved_model.save(self, str(folder), signatures=self.call)


class Vocabulary(tf.Module):
    """A table made from a file of the model's assets when it is initialised."""

    def __init__(self, folder):
        file = folder.parent / "words.txt"
        folder.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("\n".join(WORDS) + "\n")
        self.file = tf.saved_model.Asset(str(file))
        initializer = tf.lookup.TextFileInitializer(
            self.file, tf.string, tf.lookup.TextFileIndex.WHOLE_LINE, tf.int64, tf.lookup.TextFileIndex.LINE_NUMBER
        )
        self.table = tf.lookup.StaticHashTable(initializer, default_value=-1)

    @tf.function(input_signature=[spec("word", [None], tf.string)])
    def call(self, word):
        return {"id": self.table.lookup(word)}

    def save(self, folder):
        tf.saved_model.save(self, str(folder), signatures=self.call)
        (folder.parent / "words.txt").unlink()


class Signatures(tf.Module):
    """Several entry points, one of them over serialized examples as TensorFlow Serving's classify takes them."""

    @tf.function(input_signature=[spec("x", [None, 2])])
    def double(self, x):
        return {"y": x * 2}

    @tf.function(input_signature=[spec("a", [None], tf.int32), spec("b", [None], tf.int32)])
    def add(self, a, b):
        return {"sum": a + b}

    @tf.function(input_signature=[spec("examples", [None], tf.string)])
    def classify(self, examples):
        x = tf.io.parse_example(examples, {"x": tf.io.FixedLenFeature([2], tf.float32)})["x"]
        return {"scores": x + 1}

    def save(self, folder):
        signatures = {"serving_default": self.double, "add": self.add, "classify_x": self.classify}
        tf.saved_model.save(self, str(folder), signatures=signatures)
        edit(folder, lambda graph: set_method(graph, "classify_x", "tensorflow/serving/classify"))


def set_method(graph, signature, method):
    graph.signature_def[signature].method_name = method


def edit(folder, change):
    """Changes the first graph of a saved_model.pb."""
    file = folder / "saved_model.pb"
    saved = saved_model_pb2.SavedModel()
    saved.ParseFromString(file.read_bytes())
    change(saved.meta_graphs[0])
    file.write_bytes(saved.SerializeToString())


def only_signature(folder, name):
    """Leaves a SavedModel no signature but one, called `name`."""

    def change(graph):
        graph.signature_def[name].CopyFrom(graph.signature_def["serving_default"])
        del graph.signature_def["serving_default"]

    edit(folder, change)


def default_scale(graph):
    graph.signature_def["serving_default"].defaults["scale"].CopyFrom(tf.make_tensor_proto(np.float32([3])))


def field(number, payload):
    """A protobuf field of bytes."""
    size, out = len(payload), bytearray([number << 3 | 2])
    while size > 127:
        out.append(size & 127 | 128)
        size >>= 7
    return bytes([*out, size]) + payload


def predict_log(signature, **inputs):
    """A serialized PredictionLog of a prediction, as TensorFlow Serving's warm-up records are."""
    request = field(1, field(1, b"model") + field(3, signature.encode()))
    for name, value in inputs.items():
        tensor = tf.make_tensor_proto(value).SerializeToString()
        request += field(2, field(1, name.encode()) + field(2, tensor))
    return field(6, field(1, request))


def classify_log(signature, values):
    example = tf.train.Example()
    example.features.feature["x"].float_list.value.extend(values)
    input_ = field(1, field(1, example.SerializeToString()))
    return field(2, field(1, field(1, field(3, signature.encode())) + field(2, input_)))


def write_warmup(folder, *records):
    (folder / "assets.extra").mkdir()
    with tf.io.TFRecordWriter(str(folder / "assets.extra/tf_serving_warmup_requests")) as writer:
        for record in records:
            writer.write(record)


def save_tf1(folder, tags):
    """As TensorFlow 1 did: a graph with sessions' variables and placeholders, tags and a tensor of any rank."""
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        x = tf.compat.v1.placeholder(tf.float32, None, "x")
        scale = tf.compat.v1.get_variable("scale", initializer=np.float32(5), use_resource=False)
        y = tf.multiply(x, scale, "y")
        tf.compat.v1.assign(scale, 9, name="nine")
        session.run(tf.compat.v1.global_variables_initializer())
        builder = tf.compat.v1.saved_model.Builder(str(folder))
        signature = tf.compat.v1.saved_model.predict_signature_def({"x": x}, {"y": y})
        builder.add_meta_graph_and_variables(session, tags, {"serving_default": signature})
        builder.save()


def keras_cnn():
    tf.keras.utils.set_random_seed(3)
    layers = tf.keras.layers
    return tf.keras.Sequential(
        [
            tf.keras.Input((28, 28, 1), name="image"),
            layers.Conv2D(8, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(16, 3, activation="relu"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(10, activation="softmax"),
        ]
    )


def add_sub(a, b):
    return {"sum": a + b, "difference": a - b}


def attend(x):
    """Over a sequence of any length: rows are independent, steps are not."""
    scores = tf.nn.softmax(tf.matmul(x, x, transpose_b=True) / 4.0)
    return {"y": tf.matmul(scores, x), "mean": tf.reduce_mean(x, axis=[1, 2])}


def slow(x):
    matrix = tf.reshape(tf.tile(x, [1, 4096]), [256, 256])
    _, result = tf.while_loop(
        lambda i, _: i < 400, lambda i, m: (i + 1, tf.math.tanh(tf.matmul(m, m))), (tf.constant(0), matrix)
    )
    return {"y": tf.reduce_mean(result, keepdims=True)}


def pick(index):
    return {"value": tf.gather(tf.constant([1.0, 2.0, 3.0]), index)}


def make_plain(folder):
    def save(name, body, *specs):
        Function(body, *specs).save(folder / name / "1")

    for name, dtype in DTYPES.items():
        save(f"identity_{name.lower()}", lambda x: {"y": tf.identity(x)}, spec("x", [None, None], dtype))
    save("scalar", lambda x: {"y": x + 1.0}, spec("x", []))
    save("add_sub", add_sub, spec("a", [None, 16], tf.int32), spec("b", [None, 16], tf.int32))
    save("attend", attend, spec("x", [None, None, 8]))
    save("strings", lambda s: {"upper": tf.strings.upper(s), "length": tf.strings.length(s)}, spec("s", [None], tf.string))
    save("slow", slow, spec("x", [1, 16]))
    save("pick", pick, spec("index", [None], tf.int32))
    save("twice", lambda x: {"one": x * 2.0, "two": x * 2.0, "same": x}, spec("x", [None, 512]))
    save("sorted", lambda x: {"y": tf.sort(x, axis=0)}, spec("x", [None]))
    save("random", lambda x: {"y": x + tf.random.uniform([1])}, spec("x", [None, 1]))


def make(folder):
    make_plain(folder)
    for version in (1, 2, 3):
        Function(lambda x, v=version: {"y": x * v}, spec("x", [None, 4])).save(folder / f"times/{version}")
    Mlp().save(folder / "mlp/1")
    Last().save(folder / "last/1")
    vocabulary = folder / "vocabulary/1"
    Vocabulary(vocabulary).save(vocabulary)
    Signatures().save(folder / "signatures/1")
    keras_cnn().export(str(folder / "cnn/1"), verbose=False)

    scaled = folder / "scaled/1"
    Function(lambda x, scale: {"y": x * scale}, spec("x", [None]), spec("scale", [None])).save(scaled)
    edit(scaled, default_scale)
    shutil.copytree(folder / "signatures", folder / "only_other")
    only_signature(folder / "only_other/1", "my_function")
    make_warmed(folder)
    save_tf1(folder / "tf1/1", ["serve"])
    save_tf1(folder / "tagged/1", ["serve", "gpu"])


def make_warmed(folder):
    """Models with warm-up records; `last` tells by its state that they were run."""

    def copy(model, name):
        shutil.copytree(folder / model, folder / name)
        return folder / name / "1"

    kept = np.full(512, 7, np.float32)
    write_warmup(
        copy("last", "warmed"), predict_log("serving_default", x=kept - 1), predict_log("", x=kept), predict_log("other", y=kept)
    )
    write_warmup(copy("last", "warmed_wrongly"), predict_log("", x=kept), predict_log("", x=kept[:3]))
    write_warmup(copy("pick", "warmed_in_vain"), predict_log("", index=np.array([7], np.int32)))
    examples = copy("signatures", "warmed_by_examples")
    write_warmup(examples, classify_log("classify_x", [1, 2]), predict_log("add", a=[1], b=[2]))


def load(folder):
    return tf.saved_model.load(str(folder)).signatures["serving_default"]


def answer(loaded, arrays):
    outputs = loaded(**{name: tf.constant(value) for name, value in arrays.items()})
    return {name: value.numpy() for name, value in outputs.items()}
