"""Batches form when clients are many, every answer belongs to its request, and models that betray are not batched."""

import collections
import concurrent.futures

import numpy as np
import pytest

import models
import repositories
from clients import Client
from repositories import BETRAYERS
from servers import run_cli, wait_until
from test_observability import of, scrape

CLIENTS = 64
REQUESTS = 4  # of each client


def ask_from_many(server, model, make, count=CLIENTS, each=REQUESTS, kind="grpc"):
    """[(arrays, result)] of `count` clients at once, each with `each` requests one after another."""

    def work(number):
        client = Client(kind, server.address)
        try:
            pairs = []
            for turn in range(each):
                arrays = make(number * each + turn)
                pairs.append((arrays, client.infer(model, arrays)))
            return pairs
        finally:
            client.close()

    with concurrent.futures.ThreadPoolExecutor(count) as pool:
        return [pair for part in pool.map(work, range(count)) for pair in part]


def numbered(rows=1):
    return lambda number: {"x": np.full((rows, 4), number, np.float32) + np.arange(4, dtype=np.float32)}


def ask_until_batched(server, model, make, check, **options):
    """Asks from many until some have been in a batch, whose clients must have come while another one ran; counts the rows."""
    rows = 0

    def are_batched():
        nonlocal rows
        for arrays, result in ask_from_many(server, model, make, **options):
            check(arrays, result)
            rows += len(next(iter(arrays.values())))
        return any(batch["batch_size"] > most for batch in server.stats(model)["batch_stats"])

    most = max(len(next(iter(make(number).values()))) for number in range(8))  # rows of one request
    wait_until(are_batched, "requests are in one batch")
    assert server.stats(model)["inference_count"] == rows


def doubles(arrays, result):
    np.testing.assert_allclose(result.as_numpy("y"), arrays["x"] * 2, rtol=1e-5)


@pytest.mark.parametrize("kind", ["grpc", "http"])
def test_batches_form(serve, tmp_path, kind):
    server = serve(models.save(models.slow(turns=2000), tmp_path / "slow.onnx"))
    ask_until_batched(server, "slow", numbered(), doubles, kind=kind)
    server.stop()


def test_a_batch_waits_a_moment_for_clients_that_come_back(serve, tmp_path):
    """Eight that wait for their answers, of a model whose rows cost nothing beside its executions."""
    server = serve(models.save(models.slow(turns=2000), tmp_path / "slow.onnx"), "--instances=1")

    def have_waited():
        for arrays, result in ask_from_many(server, "slow", numbered(), count=8, each=60):
            doubles(arrays, result)
        return server.get_json("/explain/slow")["batching"]["gathering"]["batches"] > 0

    wait_until(have_waited, "a batch has waited")
    told = server.get_json("/explain/slow")["batching"]["gathering"]
    assert told["in_flight"] <= 8 and told["in_vain"] <= told["batches"], told
    assert "batches waited a moment for up to" in run_cli("explain", "slow", "--server", server.url).stdout
    server.stop()


def test_a_lone_client_waits_for_nobody(serve, tmp_path):
    server = serve(models.save(models.slow(turns=2000), tmp_path / "slow.onnx"))
    ask_from_many(server, "slow", numbered(), count=1, each=100)
    told = server.get_json("/explain/slow")["batching"]["gathering"]
    assert told["in_flight"] == 1 and told["batches"] == 0, told
    server.stop()


def test_batches_of_requests_of_several_rows(serve, tmp_path):
    server = serve(models.save(models.slow(turns=2000), tmp_path / "slow.onnx"), "--instances=1")
    make = lambda number: numbered(1 + number % 5)(number)  # noqa: E731
    ask_until_batched(server, "slow", make, doubles, count=32)
    server.stop()


def test_a_batch_is_no_larger_than_allowed(serve, tmp_path):
    config = 'backend: "onnxruntime" max_batch_size: 4 dynamic_batching { } instance_group [ { count: 1 } ]'
    server = serve(repositories.add(tmp_path / "models", "slow", models.slow(turns=1000), config))
    ask_until_batched(server, "slow", numbered(), doubles, count=32, each=2)
    assert max(batch["batch_size"] for batch in server.stats("slow")["batch_stats"]) <= 4
    server.stop()


def test_max_batch_size_0_is_obeyed(serve, tmp_path):
    folder = tmp_path / "models"
    repositories.add(folder, "slow", models.slow(turns=500), 'backend: "onnxruntime" max_batch_size: 0')
    server = serve(folder)
    for arrays, result in ask_from_many(server, "slow", numbered(), count=16, each=2):
        np.testing.assert_allclose(result.as_numpy("y"), arrays["x"] * 2, rtol=1e-5)
    assert server.stats("slow")["inference_count"] == 32
    server.wait_executions(32, "slow")
    assert server.get_json("/v2/models/slow/config")["max_batch_size"] == 0
    assert server.get_json("/v2/models/slow")["inputs"][0]["shape"] == [-1, 4]
    server.stop()


def test_max_batch_size_without_dynamic_batching(serve, tmp_path):
    """Clients may send as many rows together, and no batch has more."""
    folder = tmp_path / "models"
    repositories.add(folder, "slow", models.slow(turns=500), 'backend: "onnxruntime" max_batch_size: 8')
    server = serve(folder)
    for arrays, result in ask_from_many(server, "slow", numbered(3), count=16, each=2):
        np.testing.assert_allclose(result.as_numpy("y"), arrays["x"] * 2, rtol=1e-5)
    stats = server.stats("slow")
    assert stats["inference_count"] == 96
    assert stats["execution_count"] <= 32
    assert max(batch["batch_size"] for batch in stats["batch_stats"]) <= 8
    server.stop()


def test_strings_are_batched(serve, tmp_path):
    folder = tmp_path / "models"
    config = (
        'backend: "onnxruntime" max_batch_size: 32 instance_group [ { count: 1 } ]'
        " dynamic_batching { max_queue_delay_microseconds: 20000 }"
    )
    repositories.add(folder, "strings", models.string_concat(), config)
    server = serve(folder)

    def make(number):
        left = np.array(
            [[f"<{number}-{row}>" * (number % 7) for _ in range(2)] for row in range(1 + number % 3)], object
        )
        return {"left": left, "right": np.full(left.shape, str(number), object)}

    def joins(arrays, result):
        want = [[(a + b).encode() for a, b in zip(*rows)] for rows in zip(arrays["left"], arrays["right"])]
        assert result.as_numpy("joined").tolist() == want

    ask_until_batched(server, "strings", make, joins, count=32)
    server.stop()


def test_an_error_in_a_batch(serve, tmp_path):
    """A model that fails for one row: whoever was in its batch is told so, all others get their own answers."""
    folder = tmp_path / "models"
    config = (
        'backend: "onnxruntime" max_batch_size: 16 instance_group [ { count: 1 } ]'
        " dynamic_batching { max_queue_delay_microseconds: 20000 }"
    )
    repositories.add(folder, "gather", models.gather(), config)
    server = serve(folder)

    def work(number):
        client = Client("grpc", server.address)
        try:
            return client.infer("gather", {"index": np.array([99 if number == 5 else number % 10], np.int64)})
        except Exception as error:  # noqa: BLE001
            return error
        finally:
            client.close()

    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        results = list(pool.map(work, range(16)))
    failed = [number for number, result in enumerate(results) if isinstance(result, Exception)]
    assert 5 in failed
    for number, result in enumerate(results):
        if number not in failed:
            assert result.as_numpy("y").tolist() == [number % 10 * 10]
        else:
            assert "99" in str(result), result
    assert server.post_json("/predict/gather", {"index": [3]})[1]["y"] == [30]
    server.stop()


# ---- without a word of configuration -----------------------------------------------------------------------------


@pytest.mark.parametrize("name", BETRAYERS)
def test_betrayers_are_not_batched(betrayer_server, name):
    config = betrayer_server.get_json(f"/v2/models/{name}/config")
    assert config["max_batch_size"] == 0
    assert not config.get("dynamic_batching")


@pytest.mark.parametrize("name", BETRAYERS)
def test_it_is_said_why(betrayer_server, name):
    """The start-up text has a reason for each."""
    block = betrayer_server.stdout().split(f"\n  {name}  version 1", 1)[1].split("\n\n", 1)[0]
    line = next(line for line in block.splitlines() if line.strip().startswith("batching"))
    assert "off:" in line and len(line.split("off:")[1].strip()) > 10, line


BEHAVIOUR = {
    "cumulative_sum": lambda x: np.cumsum(x, axis=0),
    "cumulative_sum_batch": lambda x: np.cumsum(x, axis=0),
    "centred": lambda x: x - x.mean(axis=0, keepdims=True),
    "reversed_rows": lambda x: x[::-1],
    "fixed_first": lambda x: x * 2,
}


@pytest.mark.parametrize("name", BEHAVIOUR)
def test_betrayers_answer_rightly_under_load(betrayer_server, name):
    rows = 2 if name == "fixed_first" else 3
    make = lambda number: {"x": np.random.default_rng(number).standard_normal((rows, 4)).astype(np.float32)}  # noqa: E731
    before = betrayer_server.settled_stats(name).get("execution_count", 0)
    for arrays, result in ask_from_many(betrayer_server, name, make, count=16, each=8):
        np.testing.assert_allclose(result.as_numpy("y"), BEHAVIOUR[name](arrays["x"]), rtol=1e-5, atol=1e-6)
    betrayer_server.wait_executions(before + 128, name)


def test_two_symbols_under_load(betrayer_server):
    def make(number):
        random = np.random.default_rng(number)
        shape = lambda: (1 + number % 3, 4)  # noqa: E731
        return {name: random.standard_normal(shape()).astype(np.float32) for name in ("a", "b")}

    for arrays, result in ask_from_many(betrayer_server, "two_symbols", make, count=16):
        np.testing.assert_allclose(result.as_numpy("y"), arrays["a"] @ arrays["b"].T, rtol=1e-4, atol=1e-5)


def test_honest_models_are_batched(main_server):
    for name in ("mlp", "identity_fp32", "string_concat", "two_outputs"):
        config = main_server.get_json(f"/v2/models/{name}/config")
        assert config["max_batch_size"] > 1, name
    for name in ("scalars", "non_zero"):
        assert main_server.get_json(f"/v2/models/{name}/config")["max_batch_size"] == 0, name


def test_every_answer_belongs_to_its_request(main_server):
    """Many clients, one fast model, two protocols: the identity of random rows."""
    make = lambda number: {"x": np.random.default_rng(number).standard_normal((1 + number % 4, 8)).astype(np.float32)}  # noqa: E731
    for kind in ("grpc", "http"):
        for arrays, result in ask_from_many(main_server, "identity_fp32", make, count=32, each=10, kind=kind):
            np.testing.assert_array_equal(result.as_numpy("y"), arrays["x"])


def test_unequal_shapes_in_one_queue(serve, tmp_path):
    """Rows of different widths wait together and run apart."""
    folder = tmp_path / "models"
    config = (
        'backend: "onnxruntime" max_batch_size: 16 instance_group [ { count: 1 } ]'
        " dynamic_batching { max_queue_delay_microseconds: 5000 }"
    )
    repositories.add(folder, "echo", models.identity(), config)
    server = serve(folder)
    widths = collections.Counter()

    def make(number):
        widths[number % 5] += 1
        return {"x": np.full((1 + number % 2, 1 + number % 5), number, np.float32)}

    for arrays, result in ask_from_many(server, "echo", make, count=32):
        np.testing.assert_array_equal(result.as_numpy("y"), arrays["x"])
    assert len(widths) == 5
    server.stop()


@pytest.mark.parametrize("kind", ["grpc", "http"])
def test_a_request_of_more_rows_than_a_batch_is_split(serve, tmp_path, kind):
    """Its parts run as batches, and it is one request: for the client, and where requests are counted."""
    models.save(models.slow(turns=100), tmp_path / "models/slow.onnx")
    models.save(models.string_concat(), tmp_path / "models/strings.onnx")
    server = serve(tmp_path / "models")
    most = server.get_json("/v2/models/slow/config")["max_batch_size"]
    client = Client(kind, server.address)
    rows = 3 * most + 5
    x = np.arange(rows * 4, dtype=np.float32).reshape(rows, 4)
    np.testing.assert_allclose(client.infer("slow", {"x": x}).as_numpy("y"), x * 2, rtol=1e-5)
    stats = server.stats("slow")
    assert stats["inference_stats"]["success"]["count"] == stats["inference_stats"]["compute_infer"]["count"] == 1
    assert stats["inference_count"] == rows
    server.wait_executions(4, "slow")
    assert {batch["batch_size"] for batch in server.stats("slow")["batch_stats"]} == {5, most}

    left = np.array([["ab" * (row % 7), str(row)] for row in range(rows)], object)
    want = [[(2 * value).encode() for value in row] for row in left]
    assert client.infer("strings", {"left": left, "right": left}).as_numpy("joined").tolist() == want
    client.close()
    server.stop()


def test_batches_are_filled_up_to_allowed_sizes(serve, tmp_path):
    config = (
        'backend: "onnxruntime" max_batch_size: 16 instance_group [ { count: 1 } ]'
        ' parameters { key: "allowed_batch_sizes" value { string_value: "4,16" } }'
    )
    server = serve(repositories.add(tmp_path / "models", "slow", models.slow(turns=1000), config))
    make = lambda number: numbered(1 + number % 5)(number)  # noqa: E731
    rows = 0
    for arrays, result in ask_from_many(server, "slow", make, count=16):
        np.testing.assert_allclose(result.as_numpy("y"), arrays["x"] * 2, rtol=1e-5)
        rows += len(arrays["x"])
    assert server.stats("slow")["inference_count"] == rows

    def executed():
        return sum(b["batch_size"] * b["compute_infer"]["count"] for b in server.stats("slow")["batch_stats"])

    def padded():
        return of(scrape(server), "modelmill_padded_rows_total", model="slow")

    wait_until(lambda: executed() == rows + padded(), "every execution is counted")
    assert {batch["batch_size"] for batch in server.stats("slow")["batch_stats"]} <= {4, 16}
    assert padded() > 0
    server.stop()


def test_allowed_sizes_that_make_no_sense_are_refused(serve, tmp_path):
    config = (
        'backend: "onnxruntime" max_batch_size: 16 parameters { key: "allowed_batch_sizes" value { string_value: "8" } }'
    )
    repositories.add(tmp_path / "models", "slow", models.slow(turns=10), config)
    repositories.add_identity(tmp_path / "models", "identity")
    server = serve(tmp_path / "models", check_ready=False)
    assert "Last entry in allowed_batch_sizes must match max_batch_size; last entry was 8; expected 16" in server.text()
    server.stop()
