"""Whole servers on models that are in a bucket, of moto's S3 server."""

import base64
import json

import boto3
import archives
import clients
import grpc
import models
import pytest
import servers
from moto.server import ThreadedMotoServer
from servers import wait_until


@pytest.fixture
def bucket(monkeypatch, tmp_path):
    moto = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    moto.start()
    host, port = moto.get_host_and_port()
    for name, value in {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_REGION": "us-east-1",
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
    }.items():
        monkeypatch.setenv(name, value)
    client = boto3.client("s3", endpoint_url=f"http://{host}:{port}", region_name="us-east-1")
    client.create_bucket(Bucket="models")
    client.put = lambda key, body: client.put_object(Bucket="models", Key=key, Body=body)
    yield client
    moto.stop()


def served_versions(server, model):
    return [int(m["version"]) for m in server.post_json("/v2/repository/index", {"ready": True})[1] if m["name"] == model]


def test_a_repository_in_a_bucket_is_polled(bucket, tmp_path):
    big = models.mlp(sizes=(64, 512, 512, 10))  # above what is brought with the names
    bucket.put("repo/big/config.pbtxt", b"")
    bucket.put("repo/big/1/model.onnx", big.SerializeToString())
    bucket.put("repo/m/config.pbtxt", b"")
    bucket.put("repo/m/1/model.onnx", models.scaled(1).SerializeToString())
    with servers.serving(
        tmp_path, "s3://models/repo", "--model-control-mode=poll", "--repository-poll-secs=1"
    ) as server:
        assert served_versions(server, "big") == [1] and served_versions(server, "m") == [1]
        assert server.post_json("/predict/big", {"x": [0.0] * 64})[0] == 200
        bucket.put("repo/m/2/model.onnx", models.scaled(2).SerializeToString())
        wait_until(lambda: served_versions(server, "m") == [2], "version 2")
        assert server.post_json("/predict/m", {"x": [1, 2, 3, 4]})[1]["y"] == [2, 4, 6, 8]
        assert server.log().count("model loaded model=big") == 1, "what has not changed is not loaded again"


def test_a_file_in_a_bucket_has_a_name_and_needs_no_second_download(bucket, tmp_path):
    bucket.put("a/model.onnx", models.mlp(sizes=(64, 512, 512, 10)).SerializeToString())
    for folder in ("first", "second"):
        with servers.serving(tmp_path / folder, "ocr=s3://models/a/model.onnx") as server:
            assert server.post_json("/predict/ocr", {"x": [0.0] * 64})[0] == 200


@pytest.mark.parametrize("kind", ["http", "grpc"])
def test_on_demand_brings_only_what_is_asked_for(bucket, tmp_path, kind):
    for name, factor in (("a", 2), ("b", 3)):
        bucket.put(f"repo/{name}/config.pbtxt", b"")
        bucket.put(f"repo/{name}/1/model.onnx", models.scaled(factor).SerializeToString())
    with servers.serving(tmp_path, "s3://models/repo", "--load-on-demand") as server:
        client = clients.Client(kind, server.address)
        assert client.infer("b", clients.ROW).as_numpy("y").tolist() == [[3, 6, 9, 12]]
        assert served_versions(server, "a") == [] and served_versions(server, "b") == [1]
        client.close()


def test_an_archive_in_a_bucket(bucket, tmp_path):
    """As SageMaker and KServe have them; a new one takes the place of the old one."""

    def put(factor):
        path = archives.write(tmp_path / "model.tar.gz", {"model.onnx": archives.model_bytes(factor)})
        bucket.put("job/output/model.tar.gz", path.read_bytes())

    def factor():
        return server.post_json("/predict/ocr", {"x": [1, 2, 3, 4]})[1]["y"][0]

    put(2)
    archives.write(tmp_path / "net.mar", archives.mar_files("net", "1.0", 5))
    bucket.put("store/net.mar", (tmp_path / "net.mar").read_bytes())
    with servers.serving(
        tmp_path, "ocr=s3://models/job/output/model.tar.gz", "s3://models/store",
        "--model-control-mode=poll", "--repository-poll-secs=1",
    ) as server:  # fmt: skip
        assert factor() == 2 and server.post_json("/predict/net", {"x": [1, 2, 3, 4]})[1]["y"][0] == 5
        put(3)
        wait_until(lambda: factor() == 3, "the new archive")
        cache = tmp_path / "cache/modelmill/unpacked"
        wait_until(lambda: len([path for path in cache.iterdir() if path.is_dir()]) == 2, "the old folder to go")


def test_a_configuration_names_urls(bucket, tmp_path):
    """Files that are too large to come by themselves too; what can't be had is missing alone."""
    bucket.put("repo/big/config.pbtxt", b"")
    bucket.put("repo/big/1/model.onnx", models.mlp(sizes=(64, 512, 512, 10)).SerializeToString())
    bucket.put("a/model.onnx", archives.model_bytes(2))
    config = tmp_path / "models.yaml"
    config.write_text("models:\n  - {name: ocr, path: 's3://models/a/model.onnx', batching: {max_size: 4}}\n  - {path: 's3://models/repo/big'}\n")
    with servers.serving(tmp_path, config, "--model-control-mode=poll", "--repository-poll-secs=1") as server:
        assert server.get_json("/v2/models/ocr/config")["max_batch_size"] == 4
        assert server.post_json("/predict/big", {"x": [0.0] * 64})[0] == 200
        bucket.put("a/model.onnx", archives.model_bytes(3))
        wait_until(lambda: server.post_json("/predict/ocr", {"x": [1, 2, 3, 4]})[1]["y"][0] == 3, "the new object")
        config.write_text(config.read_text() + "  - {name: gone, path: 's3://models/nothing'}\n  - {name: c, path: 's3://models/a/model.onnx'}\n")
        wait_until(lambda: served_versions(server, "c") == [1], "a URL that was added")
        wait_until(lambda: "s3://models/nothing" in server.log(), "why the other is not there")
        assert served_versions(server, "ocr") and served_versions(server, "big") == [1]
        config.write_text("models: [{name: c, path: 's3://models/a/model.onnx'}]\n")
        wait_until(lambda: served_versions(server, "ocr") == [] and served_versions(server, "c"), "one to go")


def test_what_came_from_elsewhere_names_no_urls(bucket, tmp_path):
    bucket.put("a/model.onnx", archives.model_bytes(2))
    bucket.put("list/modelmill.yaml", b"models: [{name: m, path: 's3://models/a/model.onnx'}]")
    archives.write(tmp_path / "list.zip", {"modelmill.yaml": b"models: [{name: m, path: 's3://models/a/model.onnx'}]"})
    for path in ("s3://models/list", tmp_path / "list.zip"):
        outcome = servers.run_cli("serve", path, "--port=0")
        assert outcome.returncode == 1 and "models may not be loaded from 's3://models/a/model.onnx'" in outcome.stderr
        assert "allow it with --allow-model-url PREFIX" in outcome.stderr
        with servers.serving(tmp_path / "allowed", path, "--allow-model-url=s3://models/a/") as server:
            assert server.post_json("/predict/m", {"x": [1, 2, 3, 4]})[1]["y"] == [2, 4, 6, 8]


def test_what_came_from_elsewhere_names_no_files_of_this_machine(bucket, tmp_path):
    there = models.save(models.scaled(7), tmp_path / "there.onnx")
    for path in (str(there), "../../../../../../there.onnx", ".."):
        bucket.put("out/modelmill.yaml", f"models: [{{name: m, path: '{path}'}}]".encode())
        outcome = servers.run_cli("serve", "s3://models/out", "--port=0")
        assert outcome.returncode == 1 and f"path '{path}' leaves the folder that came with the file" in outcome.stderr
    bucket.put("in/modelmill.yaml", b"models: [{name: m, path: a}]")
    bucket.put("in/a/model.onnx", archives.model_bytes(2))
    bucket.put("one/modelmill.yaml", b"path: '..'")
    with servers.serving(tmp_path, "s3://models/in", "--allow-model-url=s3://models/one") as server:
        assert server.post_json("/predict/m", {"x": [1, 2, 3, 4]})[1]["y"] == [2, 4, 6, 8]
        status, text = load(server, "by_url", path="s3://models/one")
        assert status == 400 and "path '..' leaves the folder" in text
        sent = base64.b64encode(f"path: '{there}'".encode()).decode()
        status, text = load(server, "sent", config="{}", **{"file:modelmill.yaml": sent})
        assert status == 400 and f"path '{there}' leaves the folder" in text


def test_urls_that_nothing_names_any_more_are_let_go(bucket, tmp_path):
    bucket.put("a/model.onnx", archives.model_bytes(2))
    bucket.put("b/model.onnx", archives.model_bytes(3))
    config = tmp_path / "models.yaml"
    both = "models:\n  - {name: a, path: 's3://models/a/model.onnx'}\n  - {name: b, path: 's3://models/b/model.onnx'}\n"
    config.write_text(both)

    def factor(model):
        return server.post_json(f"/predict/{model}", {"x": [1, 2, 3, 4]})[1].get("y", [0])[0]

    with servers.serving(tmp_path, config, "--model-control-mode=poll", "--repository-poll-secs=1") as server:
        assert factor("a") == 2 and factor("b") == 3
        config.write_text("models: [{name: a, path: 's3://models/a/model.onnx'}]\n")
        wait_until(lambda: served_versions(server, "b") == [], "one to go")
        bucket.put("a/model.onnx", archives.model_bytes(4))
        wait_until(lambda: factor("a") == 4, "another look")
        bucket.delete_object(Bucket="models", Key="b/model.onnx")
        for expected in (5, 6):
            bucket.put("a/model.onnx", archives.model_bytes(expected))
            wait_until(lambda now=expected: factor("a") == now, "looks after the object has gone")
        assert "b/model.onnx" not in server.log().split("model unloaded model=b")[1], "nobody asks for it"
        bucket.put("b/model.onnx", archives.model_bytes(7))
        config.write_text(both)
        wait_until(lambda: factor("b") == 7, "it to be named again")


def load(server, model, **parameters):
    status, text, _ = server.request(
        "POST", f"/v2/repository/models/{model}/load", json.dumps({"parameters": parameters}).encode()
    )
    return status, text.decode()


def test_a_client_loads_from_an_allowed_url(bucket, tmp_path):
    bucket.put("ours/m/1/model.onnx", archives.model_bytes(1))
    bucket.put("ours/big/1/model.onnx", models.mlp(sizes=(64, 512, 512, 10)).SerializeToString())
    bucket.put("theirs/m/1/model.onnx", archives.model_bytes(9))
    there = models.save(models.scaled(7), tmp_path / "there.onnx")
    with servers.serving(tmp_path, there, "--allow-model-url=s3://models/ours") as server:
        assert load(server, "ocr", path="s3://models/ours/m") == (200, "")
        assert server.post_json("/predict/ocr", {"x": [1, 2, 3, 4]})[1]["y"] == [1, 2, 3, 4]
        assert load(server, "big", path="s3://models/ours/big", config='{"max_batch_size": 4}') == (200, "")
        assert server.get_json("/v2/models/big/config")["max_batch_size"] == 4
        bucket.put("ours/m/2/model.onnx", archives.model_bytes(2))
        assert load(server, "ocr", path="s3://models/ours/m") == (200, "")
        assert served_versions(server, "ocr") == [2]
        for path, words in (
            ("s3://models/theirs/m", "allow it with --allow-model-url PREFIX"),
            ("s3://models/ours/nothing", "failed to load 'ocr'"),
            (str(there), "must be a URL"),
        ):
            status, text = load(server, "ocr", path=path)
            assert status >= 400 and words in text, text
        status, text = load(server, "ocr", **{"path": "s3://models/ours/m", "config": "{}", "file:1/model.onnx": "AA=="})
        assert status == 400 and "either the parameter 'path' or files" in text
        assert served_versions(server, "ocr") == [2] and served_versions(server, "there") == [1]
        assert server.request("POST", "/v2/repository/models/ocr/unload", b"{}")[0] == 200
        wait_until(lambda: served_versions(server, "ocr") == [], "it to go")


def test_tensorflow_servings_lists_name_urls(bucket, tmp_path):
    bucket.put("half/00000001/model.onnx", archives.model_bytes(1))
    config = tmp_path / "models.config"
    config.write_text("model_config_list { config { name: 'half' base_path: 's3://models/half' } }")
    arguments = (f"--model-config-file={config}", "--model-control-mode=poll", "--repository-poll-secs=1")
    with servers.serving(tmp_path, *arguments) as server:
        assert server.post_json("/predict/half", {"x": [1, 2, 3, 4]})[1]["y"] == [1, 2, 3, 4]
        bucket.put("half/2/model.onnx", archives.model_bytes(2))
        wait_until(lambda: served_versions(server, "half") == [2], "version 2")


def encoded(number, value):
    """A field of a protobuf message, of at most 127 bytes."""
    data = value.encode() if isinstance(value, str) else value
    return bytes([number << 3 | 2, len(data)]) + data


def send_list(server, name, base_path):
    """The code of a HandleReloadConfigRequest with one model."""
    entry = encoded(1, name) + encoded(2, base_path)
    with grpc.insecure_channel(server.address) as channel:
        call = channel.unary_unary("/tensorflow.serving.ModelService/HandleReloadConfigRequest")
        try:
            call(encoded(1, encoded(1, encoded(1, entry))), timeout=60)
        except grpc.RpcError as error:
            return error.code()
    return grpc.StatusCode.OK


def test_a_clients_list_names_allowed_urls(bucket, tmp_path):
    bucket.put("listed/1/model.onnx", archives.model_bytes(1))
    there = models.save(models.scaled(7), tmp_path / "there.onnx")
    with servers.serving(tmp_path, there, "--allow-model-url=s3://models/listed") as server:
        assert send_list(server, "m", "s3://models/other") is grpc.StatusCode.PERMISSION_DENIED
        assert served_versions(server, "there") == [1]
        for version in (1, 2):
            bucket.put(f"listed/{version}/model.onnx", archives.model_bytes(version))
            assert send_list(server, "m", "s3://models/listed") is grpc.StatusCode.OK
            assert served_versions(server, "m") == [version]
        assert served_versions(server, "there") == []


def test_lint_does_not_reach_for_urls(tmp_path):
    config = tmp_path / "models.yaml"
    config.write_text("models:\n  - {path: 's3://nowhere.invalid:1/b/model.onnx', swap: never}\n  - {path: 's3://b/model.onnx'}\n  - {path: 'ftp://b/c'}\n")
    outcome = servers.run_cli("lint", config)
    assert outcome.returncode == 1 and "'models[0].swap' is 'never'" in outcome.stdout
    assert f"{config}:4:5: error: model URL 'ftp://b/c': the scheme 'ftp' is not known" in outcome.stdout
    assert "0 models without a problem, 2 problems" in outcome.stdout


def test_what_is_not_there_is_an_error_that_names_the_url(bucket):
    outcome = servers.run_cli("serve", "s3://models/nothing", "--port=0")
    assert outcome.returncode == 1 and "s3://models/nothing" in outcome.stderr
