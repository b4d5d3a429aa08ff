"""TorchServe's config.properties, as `modelmill serve --ts-config` reads it."""

import json
import subprocess
import urllib.request

import pytest

import archives
import certificates
import servers
import storage
from free_ports import free_ports
from servers import run_cli

ONES = b"[1, 1, 1, 1]"


@pytest.fixture
def store(tmp_path):
    folder = tmp_path / "store"
    yaml = b"minWorkers: 1\nmaxWorkers: 1\n"
    archives.write(folder / "net_v1.mar", archives.mar_files("net", "1.0", 2))
    archives.write(folder / "net_v2.mar", archives.mar_files("net", "2.0", 3))
    files = archives.mar_files("other", "1.0", 5)
    manifest = json.loads(files["MAR-INF/MANIFEST.json"])
    manifest["model"]["configFile"] = "model-config.yaml"
    files |= {"MAR-INF/MANIFEST.json": json.dumps(manifest).encode(), "model-config.yaml": yaml}
    archives.write(folder / "other.mar", files)
    return folder


def write(folder, text):
    file = folder / "config.properties"
    file.write_text(text)
    return file


def ask(server, method, path, body=None):
    status, text, _ = server.request(method, path, body)
    return status, json.loads(text)


def factor(server, name):
    status, answer = ask(server, "POST", f"/predictions/{name}", ONES)
    return answer[0] if status == 200 else answer["type"]


def describe(server, name):
    return {one["modelVersion"]: one for one in ask(server, "GET", f"/models/{name}/all")[1]}


def test_it_serves_as_the_file_says(tmp_path, store):
    inference, management, grpc_port = free_ports(3)
    models = {
        "net": {
            "1.0": {"defaultVersion": True, "minWorkers": 2, "maxWorkers": 2, "batchSize": 4, "maxBatchDelay": 1},
            "2.0": {"minWorkers": 1, "maxWorkers": 1},
        },
        "mine": {"1.0": {"minWorkers": 3, "maxWorkers": 3, "batchSize": 8, "maxBatchDelay": 1}},
    }
    text = json.dumps(models, indent=2).replace("\n", "\\\n")
    file = write(tmp_path, f"""
# of TorchServe
inference_address=http://127.0.0.1:{inference}
management_address=http\\://127.0.0.1\\:{management}
grpc_inference_port = {grpc_port}
model_store={store}
load_models=net_v1.mar,mine=other.mar
enable_model_api=true
models={text}
vmargs=-Xmx1g
unheard_of=1
""")
    with servers.serving(tmp_path, "--ts-config", file, port=None) as server:
        assert server.port == inference
        for port in (inference, management, grpc_port):
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/ping", timeout=60) as reply:
                assert json.load(reply) == {"status": "Healthy"}
        assert (factor(server, "net"), factor(server, "mine"), factor(server, "other")) == (2, 5, "ModelNotFoundException")
        net, mine = describe(server, "net")["1.0"], describe(server, "mine")["1.0"]
        assert (net["minWorkers"], net["maxWorkers"], net["batchSize"], net["maxBatchDelay"]) == (2, 2, 4, 1)
        # What an archive says itself counts more.
        assert (mine["minWorkers"], mine["maxWorkers"], mine["batchSize"]) == (1, 1, 8)
        assert ask(server, "POST", "/models?url=net_v2.mar&initial_workers=1")[0] == 200
        assert factor(server, "net/2.0") == 3
        log = server.log()
        assert f"{file}: key 'unheard_of' is none of TorchServe's" in log and "vmargs" in log


def test_the_command_line_counts_more(tmp_path, store):
    file = write(tmp_path, f"inference_address=http://127.0.0.1:1\nmodel_store={store}\nload_models=net_v1.mar\n")
    with servers.serving(tmp_path, store / "other.mar", "--ts-config", file) as server:
        assert factor(server, "other") == 5 and factor(server, "net") == "ModelNotFoundException"


def test_a_store_without_models_to_load(tmp_path, store):
    file = write(tmp_path, f"model_store={store}\n")
    with servers.serving(tmp_path, "--ts-config", file) as server:
        assert ask(server, "GET", "/models") == (200, {"models": []})
        assert ask(server, "POST", "/models?url=net_v2.mar&initial_workers=1")[0] == 200
        assert factor(server, "net") == 3


def test_clients_may_not_change_what_the_file_closes(tmp_path, store):
    file = write(tmp_path, f"model_store={store}\nload_models=all\nenable_model_api=false\n")
    with servers.serving(tmp_path, "--ts-config", file) as server:
        assert factor(server, "net/1.0") == 2 and factor(server, "net/2.0") == 3 and factor(server, "other") == 5
        assert ask(server, "DELETE", "/models/other")[0] == 503


def test_a_snapshot_is_served_again(tmp_path, store):
    """As TorchServe writes it at its end."""
    snapshot = {
        "name": "20240101000000000-shutdown.cfg",
        "modelCount": 2,
        "created": 1704067200000,
        "models": {
            "net": {
                "1.0": {"defaultVersion": True, "marName": "net_v1.mar", "minWorkers": 2, "maxWorkers": 2, "batchSize": 1},
                "2.0": {"defaultVersion": False, "marName": "net_v2.mar", "minWorkers": 2, "maxWorkers": 2, "batchSize": 1},
            },
        },
    }
    text = json.dumps(snapshot, indent=2).replace(":", "\\:").replace("\n", "\\n")
    file = tmp_path / "20240101000000000-shutdown.cfg"
    file.write_text(f"#Saving snapshot\nmodel_store={store}\nload_models=other.mar\nmodel_snapshot={text}\nversion=0.12.0\n")
    with servers.serving(tmp_path, "--ts-config", file) as server:
        assert factor(server, "net") == 2 and factor(server, "net/2.0") == 3
        assert factor(server, "other") == "ModelNotFoundException"
        assert [one["maxWorkers"] for one in describe(server, "net").values()] == [2, 2]


def test_archives_at_urls_are_loaded(tmp_path, store):
    web = storage.WebServer()
    try:
        for name in ("net_v1.mar", "net_v2.mar"):
            web.files[f"/{name}"] = storage.File((store / name).read_bytes())
        models = f"load_models={web.url}/net_v1.mar,mine={web.url}/net_v2.mar,other.mar"
        rest = ["--model-cache", tmp_path / "cache"]
        file = write(tmp_path, f"model_store={store}\n{models}\nallowed_urls={web.url}/.*\n")
        with servers.serving(tmp_path, "--ts-config", file, *rest) as server:
            assert (factor(server, "net"), factor(server, "mine"), factor(server, "other")) == (2, 3, 5)
        file = write(tmp_path, f"model_store={store}\n{models}\nallowed_urls=https://elsewhere/.*\n")
        refused = run_cli("serve", "--ts-config", file, "--port", 0, *rest)
        assert refused.returncode != 0 and f"'load_models' names '{web.url}/net_v1.mar', which no expression" in refused.stderr
    finally:
        web.close()


def test_variables_count_where_the_file_says_so(tmp_path, store):
    file = write(tmp_path, f"enable_envvars_config=true\nmodel_store={store}\nload_models=net_v1.mar\n")
    with servers.serving(tmp_path, "--ts-config", file, env={"TS_LOAD_MODELS": "other.mar"}) as server:
        assert factor(server, "other") == 5 and factor(server, "net") == "ModelNotFoundException"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("job_queue_size=many", "'job_queue_size' must be a whole number"),
        ("inference_address=nowhere", "'inference_address' is no address"),
        ('models={"net"\\: {"1.0"\\: {"minWorkers"\\: "two"}}}', "'minWorkers' must be a whole number"),
    ],
)
def test_errors_name_the_file_and_the_key(tmp_path, store, text, said):
    file = write(tmp_path, f"model_store={store}\nload_models=net_v1.mar\n{text}\n")
    done = run_cli("serve", "--port=0", "--ts-config", file)
    assert done.returncode != 0 and str(file) in done.stderr and said in done.stderr, done.stderr


def test_a_keystore_stands_for_the_files_of_tls(tmp_path, store):
    authority = certificates.Authority(tmp_path / "tls")
    certificate, key = authority.sign("server")
    keystore = tmp_path / "keystore.p12"
    command = ["openssl", "pkcs12", "-export", "-in", certificate, "-inkey", key, "-certfile", authority.certificate]
    subprocess.run([*command, "-out", keystore, "-passout", "pass:secret"], check=True, capture_output=True, timeout=60)
    (port,) = free_ports(1)
    text = f"inference_address=https://127.0.0.1:{port}\nmodel_store={store}\nload_models=net_v1.mar\nkeystore={keystore}\n"
    file = write(tmp_path, text + "keystore_pass=secret\nkeystore_type=PKCS12\n")
    with servers.serving(tmp_path, "--ts-config", file, port=None, tls=authority.trust()) as server:
        assert server.url.startswith("https") and factor(server, "net") == 2
    file = write(tmp_path, text)
    refused = run_cli("serve", "--ts-config", file)
    assert refused.returncode != 0 and "its password is another one; say it as 'keystore_pass'" in refused.stderr
