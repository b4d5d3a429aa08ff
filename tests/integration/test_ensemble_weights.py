"""Weights of combinations: learned of feedback and of a labelled file, kept, frozen and watched, against numpy."""

import json

import clients
import models
import numpy as np
import onnx
import pytest
import servers
from changing_models import replace_file

CLASSES = 3


def classifier(weights):
    """Probabilities of three classes, and as `label` the class."""
    nodes = [
        onnx.helper.make_node("MatMul", ["x", "weights"], ["logits"]),
        onnx.helper.make_node("Softmax", ["logits"], ["p"], axis=-1),
        onnx.helper.make_node("ArgMax", ["p"], ["label"], axis=-1, keepdims=0),
    ]
    return models.model(
        "classifier",
        nodes,
        [models.value("x", "FP32", ("batch", CLASSES))],
        [models.value("p", "FP32", ("batch", CLASSES)), models.value("label", "INT64", ("batch",))],
        {"weights": weights.astype(np.float32)},
    )


# The input tells the class. One member reads it well, two take it for another class, so that at first they outvote it.
GOOD = np.eye(CLASSES) * 4
WRONG = np.roll(np.eye(CLASSES), 1, axis=1) * 4
WEAK = WRONG / 8
MEMBERS = {"good": GOOD, "weak": WEAK, "wrong": WRONG}

YAML = """
models:
  - {path: good.onnx}
  - {path: weak.onnx}
  - {path: wrong.onnx}
  - name: soft
    ensemble: {combine: soft_vote, members: [good, weak, wrong], outputs: [p], weights: {learn: feedback, rate: 0.3}}
  - name: votes
    ensemble: {combine: majority, members: [wrong, weak, good], outputs: [label], weights: {learn: feedback, rate: 0.3}}
  - name: mean
    ensemble: {combine: weighted, members: [good, weak, wrong], outputs: [p]}
"""


@pytest.fixture
def repository(tmp_path):
    folder = tmp_path / "models"
    folder.mkdir()
    for name, weights in MEMBERS.items():
        models.save(classifier(weights), folder / f"{name}.onnx")
    (folder / "modelmill.yaml").write_text(YAML)
    return folder


def inputs_of(labels, seed=1):
    noise = np.random.default_rng(seed).standard_normal((len(labels), CLASSES)) * 0.3
    return (np.eye(CLASSES)[labels] + noise).astype(np.float32)


def softmax(logits):
    e = np.exp(logits - logits.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def call(server, method, path, body=None):
    data = None if body is None else json.dumps(body).encode()
    status, answer, _ = server.request(method, f"/admin/ensembles{path}", data)
    return status, json.loads(answer)


def weights(server, name):
    return {one["member"]: one["weight"] for one in call(server, "GET", f"/{name}")[1]["members"]}


def predict(server, name, x, request):
    status, answer, _ = server.request(
        "POST",
        f"/predict/{name}",
        json.dumps({"x": [x.tolist()]}).encode(),
        {"Content-Type": "application/json", "x-request-id": request},
    )
    assert status == 200, answer
    return json.loads(answer)


def teach(server, name, labels, seed, tag):
    """Asks once for each label, tells what would have been right, and returns the share of wrong answers."""
    wrong = 0
    feedback = []
    for i, (label, x) in enumerate(zip(labels, inputs_of(labels, seed), strict=True)):
        wrong += predict(server, name, x, f"{tag}-{i}")["label"][0] != label
        feedback.append({"id": f"{tag}-{i}", "label": int(label)})
    status, answer = call(server, "POST", f"/{name}/feedback", feedback)
    assert status == 200, answer
    assert answer["counted"] == len(labels)
    return wrong / len(labels)


def some_labels(count, seed=3):
    return np.random.default_rng(seed).integers(0, CLASSES, count)


@pytest.mark.parametrize("name", ["soft", "votes"])
def test_the_best_member_comes_to_weigh_most(tmp_path, repository, name):
    with servers.serving(tmp_path, repository) as server:
        before = weights(server, name)
        assert before == pytest.approx(dict.fromkeys(MEMBERS, 1 / 3))
        first = teach(server, name, some_labels(60), 11, "a")
        after = weights(server, name)
        assert max(after, key=after.get) == "good" and after["good"] > 0.8
        assert after["wrong"] == pytest.approx(min(after.values())) and after["wrong"] >= 0.01 * 0.999
        assert sum(after.values()) == pytest.approx(1)
        second = teach(server, name, some_labels(60, 4), 12, "b")
        assert second < first
        explained = server.get_json(f"/explain/{name}")["ensemble"]["weights"]
        assert explained == pytest.approx(weights(server, name))
        page = server.request("GET", "/metrics")[1].decode()
        assert f'modelmill_ensemble_feedback_total{{model="{name}",result="counted"}} 120' in page
        assert f'modelmill_ensemble_weight{{model="{name}",member="good"}} 0.' in page


def lifted(shares, floor):
    """Those below the floor are lifted to it; the others share the rest as they did."""
    low = np.zeros(len(shares), bool)
    while True:
        rest = shares * (1 - floor * low.sum()) / shares[~low].sum()
        if not (rest[~low] < floor).any():
            return np.where(low, floor, rest)
        low |= rest < floor


def test_hedge_is_what_numpy_computes(tmp_path, repository):
    labels = some_labels(20)
    x = inputs_of(labels, 5)
    expected = np.full(3, 1 / 3)
    for row, label in zip(x, labels, strict=True):
        p = np.stack([softmax(row @ one.astype(np.float32)) for one in MEMBERS.values()])
        loss = ((p - np.eye(CLASSES)[label]) ** 2).sum(-1) / 2
        expected = expected * np.exp(-0.3 * loss)
        expected = lifted(expected / expected.sum(), 0.01)
    with servers.serving(tmp_path, repository) as server:
        teach(server, "soft", labels, 5, "n")
        assert list(weights(server, "soft").values()) == pytest.approx(expected.tolist(), rel=1e-4)
        client = clients.Client("grpc", server.address)
        p = np.stack([softmax(x @ one.astype(np.float32)) for one in MEMBERS.values()])
        np.testing.assert_allclose(
            client.infer("soft", {"x": x}).as_numpy("p"), (p * expected[:, None, None]).sum(0), rtol=1e-3
        )


def test_ids_are_told_apart_and_errors_change_nothing(tmp_path, repository):
    with servers.serving(tmp_path, repository) as server:
        predict(server, "soft", inputs_of([1])[0], "one")
        status, answer = call(
            server,
            "POST",
            "/soft/feedback",
            [{"id": "one", "label": 1}, {"id": "one", "label": 1}, {"id": "never", "label": 0}],
        )
        assert (status, answer) == (
            200,
            {"counted": 1, "duplicate": 1, "unknown": 1, "frozen": 0, "unknown_ids": ["never"]},
        )
        learned = weights(server, "soft")
        predict(server, "soft", inputs_of([1])[0], "two")
        for body, words in [
            ({"id": "two", "label": 3}, "from 0 to 2"),
            ({"id": "two", "label": [1, 1]}, "rows"),
            ({"id": "two"}, "it needs 'label'"),
        ]:
            status, answer = call(server, "POST", "/soft/feedback", body)
            assert status == 400 and words in answer["error"], answer
        assert weights(server, "soft") == learned
        assert call(server, "GET", "/nobody")[0] == 404
        status, answer = call(server, "POST", "/mean/feedback", {"id": "one", "label": 1})
        assert status == 400 and "does not learn" in answer["error"]
        assert call(server, "GET", "/soft/feedback")[0] == 405


def test_weights_outlast_a_restart_and_freezing_holds_them(tmp_path, repository):
    state = f"--state-dir={tmp_path / 'state'}"
    with servers.serving(tmp_path, repository, state) as server:
        teach(server, "soft", some_labels(30), 21, "a")
        learned = weights(server, "soft")
    server = servers.Server(tmp_path / "killed.log", repository, state)
    try:
        assert weights(server, "soft") == pytest.approx(learned)
        shown = servers.run_cli("ensemble", "freeze", "soft", "--server", server.url)
        assert shown.returncode == 0 and "frozen" in shown.stdout, shown.stderr
        predict(server, "soft", inputs_of([2])[0], "f")
        told = servers.run_cli("ensemble", "feedback", "soft", '{"id": "f", "label": 2}', "--server", server.url)
        assert told.returncode == 0 and "1 frozen" in told.stdout, told.stderr
        assert weights(server, "soft") == pytest.approx(learned)
    finally:
        server.kill()
    with servers.serving(tmp_path, repository, state) as server:
        assert call(server, "GET", "/soft")[1]["frozen"] is True
        assert weights(server, "soft") == pytest.approx(learned)
        assert servers.run_cli("ensemble", "unfreeze", "soft", "--server", server.url).returncode == 0
        teach(server, "soft", some_labels(5), 22, "u")
        assert weights(server, "soft") != pytest.approx(learned)
        assert servers.run_cli("ensemble", "reset", "soft", "--server", server.url).returncode == 0
        assert weights(server, "soft") == pytest.approx(dict.fromkeys(MEMBERS, 1 / 3))


def test_weights_stay_when_a_member_is_swapped(tmp_path, repository):
    with servers.serving(tmp_path, repository) as server:
        teach(server, "soft", some_labels(30), 31, "a")
        learned = weights(server, "soft")
        client = clients.Client("http", server.address)
        x = inputs_of(some_labels(4), 6)
        replace_file(classifier(WEAK * 2), repository / "weak.onnx")
        changed = [GOOD, WEAK * 2, WRONG]
        p = np.stack([softmax(x @ one.astype(np.float32)) for one in changed])
        expected = (p * np.array(list(learned.values()))[:, None, None]).sum(0)
        servers.wait_until(
            lambda: np.allclose(client.infer("soft", {"x": x}).as_numpy("p"), expected, rtol=1e-3),
            "the new member has the old one's weight",
        )
        assert weights(server, "soft") == pytest.approx(learned)


def best_mixture(p):
    """The shares of the least log loss, by many rounds of expectation maximisation."""
    w = np.full(p.shape[1], 1 / p.shape[1])
    for _ in range(20_000):
        w = w * (p / (p @ w)[:, None]).mean(0)
    return w


def test_a_labelled_file_gives_what_numpy_does(tmp_path, repository):
    labels = some_labels(40)
    x = inputs_of(labels, 41)
    file = tmp_path / "labelled.jsonl"
    lines = [{"inputs": {"x": x[i : i + 2].tolist()}, "label": labels[i : i + 2].tolist()} for i in range(0, 40, 2)]
    file.write_text("\n".join(json.dumps(line) for line in lines) + "\n")
    p = np.stack([softmax(x @ one.astype(np.float32)) for one in MEMBERS.values()], axis=1)
    of_truth = p[np.arange(40), :, labels]
    with servers.serving(tmp_path, repository) as server:
        found = servers.run_cli("ensemble", "fit", "soft", file, "--server", server.url, "--json")
        assert found.returncode == 0, found.stderr
        fit = json.loads(found.stdout)
        assert fit["rows"] == 40 and not fit["applied"]
        best = best_mixture(of_truth)
        assert fit["before"] == pytest.approx(-np.log(of_truth.mean(1)).mean(), rel=1e-4)
        assert fit["after"] == pytest.approx(-np.log(of_truth @ best).mean(), abs=1e-4)
        assert [one["weight"] for one in fit["members"]] == pytest.approx(best.tolist(), abs=0.01)
        assert weights(server, "soft") == pytest.approx(dict.fromkeys(MEMBERS, 1 / 3)), "nothing was applied"

        votes = servers.run_cli("ensemble", "fit", "votes", file, "--server", server.url, "--apply")
        assert votes.returncode == 0 and "the weights are in force" in votes.stdout, votes.stderr
        again = servers.run_cli("ensemble", "fit", "votes", file, "--server", server.url, "--json")
        assert json.loads(again.stdout)["before"] <= 0.1
        assert weights(server, "votes")["wrong"] == pytest.approx(0.01), "the floor holds for one that learns"


def test_a_mean_is_fitted_and_set_though_it_does_not_learn(tmp_path, repository):
    x = inputs_of(some_labels(20), 51)
    p = np.stack([softmax(x @ one.astype(np.float32)) for one in MEMBERS.values()])
    truth = np.tensordot([0.2, 0.8, 0.0], p, 1)
    file = tmp_path / "labelled.jsonl"
    file.write_text(
        "\n".join(json.dumps({"inputs": {"x": [a.tolist()]}, "label": [b.tolist()]}) for a, b in zip(x, truth, strict=True))
    )
    with servers.serving(tmp_path, repository) as server:
        client = clients.Client("http", server.address)
        np.testing.assert_allclose(client.infer("mean", {"x": x}).as_numpy("p"), p.mean(0), rtol=1e-4)
        found = servers.run_cli("ensemble", "fit", "mean", file, "--server", server.url, "--apply")
        assert found.returncode == 0, found.stderr
        assert list(weights(server, "mean").values()) == pytest.approx([0.2, 0.8, 0.0], abs=1e-3)
        np.testing.assert_allclose(client.infer("mean", {"x": x}).as_numpy("p"), truth, rtol=1e-3, atol=1e-4)
        listed = servers.run_cli("ensemble", "list", "--server", server.url)
        assert "mean" in listed.stdout and "soft" in listed.stdout and "learns" in listed.stdout
        (tmp_path / "bad.jsonl").write_text('\n{"inputs": {"x": [[1, 2, 3]]}, "label": "a"}\n')
        bad = servers.run_cli("ensemble", "fit", "mean", tmp_path / "bad.jsonl", "--server", server.url)
        assert bad.returncode != 0 and "bad.jsonl:2" in bad.stderr
