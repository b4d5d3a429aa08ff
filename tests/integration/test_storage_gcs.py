"""Models in a bucket of Google Cloud Storage's emulator, and credentials of a token server."""

import base64
import json
import subprocess
import urllib.parse
import urllib.request

import pytest
from gcp_storage_emulator.server import create_server

import storage
from storage import MB, File

BIG = storage.content(2 * MB + 5)


@pytest.fixture(scope="module")
def emulator():
    server = create_server("127.0.0.1", 0, in_memory=True, default_bucket="models")
    server.start()
    yield f"http://127.0.0.1:{server._api._httpd.server_port}"
    server.stop()


@pytest.fixture
def put(emulator):
    def put(key, data):
        query = urllib.parse.urlencode({"uploadType": "media", "name": key})
        request = urllib.request.Request(f"{emulator}/upload/storage/v1/b/models/o?{query}", data=data, method="POST")
        with urllib.request.urlopen(request) as reply:
            assert reply.status == 200

    return put


@pytest.fixture
def look(emulator, tmp_path):
    def look(url, *options, env=None, **more):
        env = {"STORAGE_EMULATOR_HOST": emulator, **(env or {})}
        return storage.probe(tmp_path / "cache", url, "--chunk", MB, *options, env=env, **more)

    return look


def test_a_repository(put, look):
    put("r/ocr/config.pbtxt", b"config")
    put("r/ocr/1/model.onnx", BIG)
    put("r/ocr/2/a b+c.onnx", BIG[:MB])
    seen = look("gs://models/r")
    assert seen.files == {"r/ocr/config.pbtxt": storage.sha256(b"config")}
    assert {"r/ocr/1", "r/ocr/2"} <= seen.folders
    fetched = look("gs://models/r", "--fetch", "ocr", "--refresh-again")
    assert fetched.files["r/ocr/1/model.onnx"] == storage.sha256(BIG)
    assert fetched.files["r/ocr/2/a b+c.onnx"] == storage.sha256(BIG[:MB])
    assert fetched.refreshes == ["changed", "same"]


def test_one_file_and_its_change(put, look):
    put("one/model.onnx", BIG)
    assert look("gs://models/one/model.onnx").files == {"model.onnx": storage.sha256(BIG)}
    put("one/model.onnx", b"changed")
    assert look("gs://models/one/model.onnx").files == {"model.onnx": storage.sha256(b"changed")}


def test_nothing_there(look):
    assert look("gs://models/none", check=False).error.startswith("NOT_FOUND")


def test_a_service_account_gets_its_token(tmp_path):
    """The assertion is checked with OpenSSL's own program."""
    web = storage.WebServer()
    try:
        key, public = tmp_path / "key.pem", tmp_path / "public.pem"
        subprocess.run(["openssl", "genrsa", "-out", key, "2048"], check=True, capture_output=True)
        subprocess.run(["openssl", "rsa", "-in", key, "-pubout", "-out", public], check=True, capture_output=True)
        account = {
            "type": "service_account",
            "private_key_id": "id",
            "private_key": key.read_text(),
            "client_email": "me@project.example",
            "token_uri": web.url + "/token",
        }
        (tmp_path / "account.json").write_text(json.dumps(account))
        web.posts["/token"] = json.dumps({"access_token": "lent", "expires_in": 3600}).encode()
        env = {"GOOGLE_APPLICATION_CREDENTIALS": str(tmp_path / "account.json"), "https_proxy": web.url}
        # The store itself is behind a proxy that makes no tunnel, so only the token is got.
        outcome = storage.probe(tmp_path / "cache", "gs://models/x", "--tries", 1, env=env, check=False)
        assert "makes no tunnel" in outcome.error
        form = urllib.parse.parse_qs(web.bodies["/token"].decode())
        head, claims, signature = form["assertion"][0].split(".")
        assert json.loads(base64.urlsafe_b64decode(head + "==")) == {"alg": "RS256", "typ": "JWT", "kid": "id"}
        told = json.loads(base64.urlsafe_b64decode(claims + "=="))
        assert told["iss"] == "me@project.example" and told["aud"] == web.url + "/token"
        assert told["exp"] - told["iat"] == 3600
        (tmp_path / "signature").write_bytes(base64.urlsafe_b64decode(signature + "=="))
        command = ["openssl", "dgst", "-sha256", "-verify", public, "-signature", tmp_path / "signature"]
        subprocess.run(command, input=f"{head}.{claims}".encode(), check=True, capture_output=True)
    finally:
        web.close()


def test_credentials_that_are_not_understood(tmp_path):
    (tmp_path / "account.json").write_text('{"type": "external_account", "client_secret": "hush"}')
    env = {"GOOGLE_APPLICATION_CREDENTIALS": str(tmp_path / "account.json")}
    outcome = storage.probe(tmp_path / "cache", "gs://models/x", env=env, check=False)
    assert outcome.error.startswith("UNIMPLEMENTED") and "external_account" in outcome.error
    assert "hush" not in outcome.error


def test_a_wrong_sum_is_refused(tmp_path):
    """A server that speaks as Google's does, with a sum that is not the content's."""
    web = storage.WebServer()
    try:
        sum_of_another = base64.b64encode(b"\0\0\0\0").decode()
        item = {"name": "m.onnx", "size": "4", "generation": "1", "crc32c": sum_of_another}
        web.files["/storage/v1/b/models/o"] = File(b"{}", ranges=False)
        web.files["/storage/v1/b/models/o/m.onnx"] = File(json.dumps(item).encode(), ranges=False)
        web.files["/download/storage/v1/b/models/o/m.onnx"] = File(b"data")
        env = {"STORAGE_EMULATOR_HOST": web.url}
        outcome = storage.probe(tmp_path / "cache", "gs://models/m.onnx", env=env, check=False)
        assert outcome.error.startswith("DATA_LOSS") and "crc32c" in outcome.error
        assert storage.cache_files(tmp_path / "cache", "blobs") == []
    finally:
        web.close()
