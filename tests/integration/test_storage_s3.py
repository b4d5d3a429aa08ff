"""Models in a bucket, of moto's S3 server."""

import json
import urllib.request

import boto3
import pytest
from moto.server import ThreadedMotoServer

import storage
from storage import MB

KEYS = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "a/secret+", "AWS_REGION": "eu-central-1"}
CONFIG = b'name: "ocr"\n'
BIG, BIGGER = storage.content(3 * MB, 1), storage.content(2 * MB, 2)


@pytest.fixture(scope="module")
def moto():
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    yield f"{host}:{port}"
    server.stop()


@pytest.fixture
def s3(moto, request):
    """A client, and `bucket` of the test's own."""
    client = boto3.client(
        "s3",
        endpoint_url=f"http://{moto}",
        aws_access_key_id="key",
        aws_secret_access_key="a/secret+",
        region_name="eu-central-1",
    )
    client.bucket = f"bucket-{abs(hash(request.node.name)) % 10**9}"
    client.create_bucket(Bucket=client.bucket, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    client.put = lambda key, body, **more: client.put_object(Bucket=client.bucket, Key=key, Body=body, **more)
    return client


@pytest.fixture
def repository(s3):
    """The usual: two versions of one model, and one file by itself."""
    s3.put("models/ocr/config.pbtxt", CONFIG)
    s3.put("models/ocr/1/model.onnx", BIG)
    s3.put("models/ocr/2/model.onnx", BIGGER)
    s3.put("models/ocr/configs/small.pbtxt", b"small")
    s3.put("models/empty/1/", b"")
    s3.put("models-of-others/x", b"x")
    return s3


@pytest.fixture
def look(moto, tmp_path):
    def look(url, *options, env=None, **more):
        return storage.probe(
            tmp_path / "cache", url, "--chunk", MB, *options, env={"AWS_ENDPOINT_URL": f"http://{moto}", **KEYS, **(env or {})}, **more
        )

    return look


SMALL = {
    "models/ocr/config.pbtxt": storage.sha256(CONFIG),
    "models/ocr/configs/small.pbtxt": storage.sha256(b"small"),
}


def test_refresh_brings_folders_and_small_files(repository, look):
    outcome = look(f"s3://{repository.bucket}/models")
    assert outcome.files == SMALL
    assert outcome.folders == {"models"} | {
        f"models/{name}" for name in ("ocr", "ocr/1", "ocr/2", "ocr/configs", "empty", "empty/1")
    }


def test_fetch_brings_one_part(repository, look):
    outcome = look(f"s3://{repository.bucket}/models/", "--fetch", "ocr/2")
    assert outcome.files == {**SMALL, "models/ocr/2/model.onnx": storage.sha256(BIGGER)}


def test_a_bucket_and_a_models_folder_and_a_file(repository, look):
    bucket = repository.bucket
    assert f"{bucket}/models/ocr/config.pbtxt" in look(f"s3://{bucket}").files
    model = look(f"s3://{bucket}/models/ocr", "--fetch", "")
    assert set(model.files) == {"ocr/config.pbtxt", "ocr/configs/small.pbtxt", "ocr/1/model.onnx", "ocr/2/model.onnx"}
    file = look(f"s3://{bucket}/models/ocr/1/model.onnx")
    assert file.files == {"model.onnx": storage.sha256(BIG)}


def test_endpoints_in_the_url(repository, look, moto):
    for url in (f"s3://{moto}/{repository.bucket}/models", f"s3://http://{moto}/{repository.bucket}/models"):
        assert look(url, env={"AWS_ENDPOINT_URL": ""}).files == SMALL


def test_what_went_goes_and_what_changed_is_replaced(repository, look):
    url = f"s3://{repository.bucket}/models"
    look(url, "--fetch", "ocr")
    repository.delete_object(Bucket=repository.bucket, Key="models/ocr/1/model.onnx")
    repository.put("models/ocr/2/model.onnx", BIG[:MB])
    repository.put("models/ocr/config.pbtxt", b"changed")
    seen = look(url)
    assert "models/ocr/1" not in seen.folders and "models/ocr/1/model.onnx" not in seen.files
    assert seen.files["models/ocr/config.pbtxt"] == storage.sha256(b"changed")
    fetched = look(url, "--fetch", "ocr/2", "--refresh-again")
    assert fetched.files["models/ocr/2/model.onnx"] == storage.sha256(BIG[:MB])
    assert fetched.refreshes == ["changed", "same"]


def test_a_file_that_becomes_a_folder_and_back(s3, look):
    s3.put("m/a/1", b"file")
    assert look(f"s3://{s3.bucket}/m").files == {"m/a/1": storage.sha256(b"file")}
    s3.delete_object(Bucket=s3.bucket, Key="m/a/1")
    s3.put("m/a/1/x", b"inside")
    assert look(f"s3://{s3.bucket}/m").files == {"m/a/1/x": storage.sha256(b"inside")}
    s3.delete_object(Bucket=s3.bucket, Key="m/a/1/x")
    s3.put("m/a/1", b"file")
    assert look(f"s3://{s3.bucket}/m").files == {"m/a/1": storage.sha256(b"file")}


def test_more_objects_than_one_page_lists(s3, look):
    for i in range(1003):
        s3.put(f"m/a/{i:04}/x", b"")
    outcome = look(f"s3://{s3.bucket}/m")
    assert len(outcome.files) == 1003


def test_keys_are_encoded(s3, look):
    names = ["a b+c%.txt", "é/ü.txt", "x=1&y=2.txt", "tilde~(1).txt", "'quoted'!*.txt"]
    for name in names:
        s3.put(f"m d/{name}", name.encode())
    outcome = look(f"s3://{s3.bucket}/m d")
    assert outcome.files == {f"m d/{name}": storage.sha256(name.encode()) for name in names}


@pytest.mark.parametrize("key", ["m/../../outside", "m/./x", "m//x", "m/" + "x" * 300])
def test_keys_that_would_leave_the_tree(s3, look, key):
    s3.put("m/good", b"good")
    s3.put(key, b"bad")
    outcome = look(f"s3://{s3.bucket}/m", check=False)
    assert outcome.error.startswith("INVALID_ARGUMENT") and outcome.files == {}
    assert "can't be a file here" in outcome.error


def test_a_key_that_is_both(s3, look):
    s3.put("m/a", b"file")
    s3.put("m/a/b", b"below")
    assert "others are below it" in look(f"s3://{s3.bucket}/m", check=False).error


def test_an_object_that_was_uploaded_in_parts(s3, look):
    upload = s3.create_multipart_upload(Bucket=s3.bucket, Key="m.onnx")["UploadId"]
    parts, bodies = [], [storage.content(5 * MB, 3), b"the rest"]
    for number, body in enumerate(bodies, 1):
        part = s3.upload_part(Bucket=s3.bucket, Key="m.onnx", UploadId=upload, PartNumber=number, Body=body)
        parts.append({"PartNumber": number, "ETag": part["ETag"]})
    s3.complete_multipart_upload(Bucket=s3.bucket, Key="m.onnx", UploadId=upload, MultipartUpload={"Parts": parts})
    assert look(f"s3://{s3.bucket}/m.onnx").files == {"m.onnx": storage.sha256(b"".join(bodies))}


def test_nothing_there(s3, look):
    assert look(f"s3://{s3.bucket}/none", check=False).error.startswith("NOT_FOUND")
    missing = look("s3://no-such-bucket-here/x", check=False).error
    assert missing.startswith("NOT_FOUND") and "NoSuchBucket" in missing


def test_versions_share_what_is_the_same(s3, look, tmp_path):
    s3.put("m/a/1/model.onnx", BIG)
    s3.put("m/a/2/model.onnx", BIG)
    look(f"s3://{s3.bucket}/m", "--fetch", "")
    assert len(storage.cache_files(tmp_path / "cache", "blobs")) == 1


@pytest.fixture
def signed(moto):
    """A bucket of a server that looks at signatures, as moto does after its first calls; for one that may read it."""
    def call(path, data):
        headers = {"Content-Type": "text/plain"}
        urllib.request.urlopen(urllib.request.Request(f"http://{moto}{path}", data, headers, method="POST")).close()

    iam = boto3.client("iam", endpoint_url=f"http://{moto}", aws_access_key_id="key", aws_secret_access_key="x", region_name="us-east-1")
    iam.create_user(UserName="reader")
    allow = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}
    iam.put_user_policy(UserName="reader", PolicyName="all", PolicyDocument=json.dumps(allow))
    key = iam.create_access_key(UserName="reader")["AccessKey"]
    call("/moto-api/reset-auth", b"0")
    yield {"AWS_ACCESS_KEY_ID": key["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"]}
    call("/moto-api/reset-auth", b"inf")
    iam.delete_access_key(UserName="reader", AccessKeyId=key["AccessKeyId"])
    iam.delete_user_policy(UserName="reader", PolicyName="all")
    iam.delete_user(UserName="reader")


def test_signatures_are_right(repository, look, signed, tmp_path):
    url = f"s3://{repository.bucket}/models"
    assert look(url, env=signed).files == SMALL
    wrong = look(url, env={**signed, "AWS_SECRET_ACCESS_KEY": "wrong-secret"}, check=False)
    assert wrong.error.startswith("PERMISSION_DENIED") and "SignatureDoesNotMatch" in wrong.error
    assert "wrong-secret" not in wrong.error
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws/credentials").write_text(
        f"[default]\naws_access_key_id = no\n[mine]\naws_access_key_id={signed['AWS_ACCESS_KEY_ID']}\n"
        f"aws_secret_access_key = {signed['AWS_SECRET_ACCESS_KEY']}\n"
    )
    (tmp_path / ".aws/config").write_text("[profile mine]\nregion = eu-central-1\n")
    none = {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "AWS_REGION": ""}
    assert look(url, env={**none, "AWS_PROFILE": "mine"}).files == SMALL
    assert "AWS_PROFILE is 'other'" in look(url, env={**none, "AWS_PROFILE": "other"}, check=False).error
