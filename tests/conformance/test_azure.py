"""Models in a container of Azurite, Microsoft's own emulator of Azure's blobs, with a key, a signature and wrong ones."""

import base64
import datetime
import hashlib
import hmac
import socket
import subprocess
import urllib.parse
import urllib.request

import pytest

import servers
import storage
from free_ports import free_ports
from storage import MB

pytestmark = pytest.mark.conformance("Azurite")

PROGRAM = servers.ROOT / "build/azurite/node_modules/azurite/dist/src/blob/main.js"
ACCOUNT, KEY = "millers", base64.b64encode(b"a key of this test").decode()
VERSION = "2021-08-06"
BIG = storage.content(2 * MB + 5)


@pytest.fixture(scope="module")
def azurite(tmp_path_factory):
    folder, (port,) = tmp_path_factory.mktemp("azurite"), free_ports(1)
    command = ["node", PROGRAM, "--blobHost", "127.0.0.1", "--blobPort", str(port), "--location", folder, "--silent"]
    command += ["--skipApiVersionCheck", "--disableTelemetry"]
    env = {**storage.environment(folder), "AZURITE_ACCOUNTS": f"{ACCOUNT}:{KEY}"}
    with open(folder / "log", "wb") as log, subprocess.Popen(command, env=env, stdout=log, stderr=log) as process:

        def answers():
            assert process.poll() is None, (folder / "log").read_text()
            try:
                return socket.create_connection(("127.0.0.1", port), timeout=1).close() or True
            except OSError:
                return False

        servers.wait_until(answers, "Azurite listens", 60)
        yield f"http://127.0.0.1:{port}/{ACCOUNT}"
        process.terminate()


def signature(text):
    return base64.b64encode(hmac.new(base64.b64decode(KEY), text.encode(), hashlib.sha256).digest()).decode()


def sas(container="", permissions="racwdl", hours=1):
    """A shared access signature of the whole account, made after Microsoft's description of it."""
    expiry = (datetime.datetime.now(datetime.UTC) + datetime.timedelta(hours=hours)).strftime("%Y-%m-%dT%H:%M:%SZ")
    fields = {"sv": VERSION, "ss": "b", "srt": "sco", "sp": permissions, "se": expiry, "spr": "https,http"}
    text = "\n".join([ACCOUNT, permissions, "b", "sco", "", expiry, "", "https,http", VERSION, "", ""])
    return urllib.parse.urlencode({**fields, "sig": signature(text)})


@pytest.fixture(scope="module")
def put(azurite):
    def call(path, query, data, headers):
        url = f"{azurite}/{urllib.parse.quote(path)}?{query}{sas()}"
        with urllib.request.urlopen(urllib.request.Request(url, data=data, method="PUT", headers=headers)) as reply:
            assert reply.status == 201

    call("models", "restype=container&", b"", {})
    return lambda key, data, **meta: call(f"models/{key}", "", data, {"x-ms-blob-type": "BlockBlob", **meta})


@pytest.fixture
def look(azurite, tmp_path):
    def look(url, *options, connection=f"AccountKey={KEY}", **more):
        text = f"DefaultEndpointsProtocol=http;AccountName={ACCOUNT};BlobEndpoint={azurite};{connection}"
        env = {"AZURE_STORAGE_CONNECTION_STRING": text, "AZURE_POD_IDENTITY_AUTHORITY_HOST": "http://127.0.0.1:1"}
        return storage.probe(tmp_path / "cache", url, "--chunk", MB, *options, env=env, **more)

    return look


@pytest.fixture(scope="module")
def repository(put):
    put("r/ocr/config.pbtxt", b"config")
    put("r/ocr/1/model.onnx", BIG)
    put("r/ocr/2/a b+c%.onnx", BIG[:MB])
    put("r/folder", b"", **{"x-ms-meta-hdi_isfolder": "true"})


WHOLE = {
    "r/ocr/config.pbtxt": storage.sha256(b"config"),
    "r/ocr/1/model.onnx": storage.sha256(BIG),
    "r/ocr/2/a b+c%.onnx": storage.sha256(BIG[:MB]),
}


def test_a_repository_with_the_accounts_key(repository, look):
    url = f"as://{ACCOUNT}/models/r"
    seen = look(url)
    assert seen.files == {"r/ocr/config.pbtxt": WHOLE["r/ocr/config.pbtxt"]}
    assert {"r/ocr/1", "r/ocr/2", "r/folder"} <= seen.folders
    fetched = look(url, "--fetch", "ocr", "--refresh-again")
    assert fetched.files == WHOLE and fetched.refreshes == ["changed", "same"]


def test_a_shared_access_signature(repository, look):
    outcome = look(f"wasbs://models@{ACCOUNT}.blob.core.windows.net/r", connection="SharedAccessSignature=" + sas())
    assert list(outcome.files) == ["r/ocr/config.pbtxt"]
    ended = look(f"as://{ACCOUNT}/models/r", connection="SharedAccessSignature=" + sas(hours=-1), check=False)
    assert ended.error.startswith("PERMISSION_DENIED") and "sig=" not in ended.error


def test_one_blob(repository, look):
    url = f"https://{ACCOUNT}.blob.core.windows.net/models/r/ocr/1/model.onnx"
    assert look(url).files == {"model.onnx": storage.sha256(BIG)}


def test_what_is_refused(repository, look):
    wrong = base64.b64encode(b"wrong").decode()
    outcome = look(f"as://{ACCOUNT}/models/r", connection=f"AccountKey={wrong}", check=False)
    assert outcome.error.startswith("PERMISSION_DENIED") and wrong not in outcome.error
    assert look(f"as://{ACCOUNT}/models/none", check=False).error.startswith("NOT_FOUND")
    assert look(f"as://{ACCOUNT}/none/x", check=False).error.startswith("NOT_FOUND")
