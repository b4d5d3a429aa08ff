"""modelmill as torchserve: every flag from the table in the docs, its five ports, keys, background and exit codes."""

import json
import os
import signal
import socket
import subprocess
from pathlib import Path

import grpc
import pytest

import archives
import servers
import torchserve_protos
from free_ports import free_ports
from personalities import flags_of, ignored_in, status
from torchserve_protos import INFERENCE, MANAGEMENT, Stub

ROWS = flags_of("flags-torchserve.md")
# Those that don't start a server, and the one that is given in each case.
ALONE = {"help", "version", "stop", "foreground"}
# Flags that mean the same are given in turn.
TWINS = ({"ncs", "ppath", "dt"}, {"no-config-snapshots", "plugins-path", "disable-token-auth"})
CHUNKS = [[row for row in ROWS if row[0] not in ALONE | left_out] for left_out in TWINS]
ONES = b"[1, 1, 1, 1]"
KEYS = ("inference_address", "management_address", "metrics_address", "grpc_inference_port", "grpc_management_port")


class Place:
    """A folder with what the examples of the table name, and ports of its own."""

    def __init__(self, folder):
        self.folder = folder
        archives.write(folder / "store/net.mar", archives.mar_files("net", "1.0", 2))
        archives.write(folder / "store/other.mar", archives.mar_files("other", "1.0", 3))
        (folder / "plugins").mkdir()
        (folder / "log4j2.xml").write_text("<Configuration/>")
        self.ports = free_ports(5)
        urls = [f"http://127.0.0.1:{port}" for port in self.ports]
        self.inference, self.management, self.metrics = urls[:3]
        self.config("")
        self.env = {"TMPDIR": str(folder), "LOG_LOCATION": str(folder / "logs")}

    def config(self, more):
        lines = [f"{key}={port if 'grpc' in key else f'http://127.0.0.1:{port}'}" for key, port in zip(KEYS, self.ports)]
        (self.folder / "config.properties").write_text("\n".join([*lines, more]) + "\n")

    def key(self, name):
        return json.loads((self.folder / "key_file.json").read_text())[name]["key"]

    def predict(self, model="net", key=None):
        headers = {"Authorization": f"Bearer {self.key(key)}"} if key else {}
        return status(self.inference, f"/predictions/{model}", "POST", headers, ONES)[0]

    def run(self, *arguments):
        """To its end, with its output in a file, since a server in the background keeps it."""
        with open(self.folder / "output", "w+") as output:
            command = [str(servers.binary()), "--as", "torchserve", *arguments]
            env = servers.environment(self.env)
            done = subprocess.run(command, cwd=self.folder, env=env, stdout=output, stderr=output, timeout=60)
            output.seek(0)
            return done.returncode, output.read()


@pytest.fixture
def place(tmp_path):
    return Place(tmp_path)


@pytest.fixture
def start(serve, place):
    """A server in the foreground."""

    def started(*arguments, models=("net.mar",), **options):
        more = ["--models", *models] if models else []
        return serve(
            *["--foreground", "--model-store", "store", *arguments, *more],
            personality="torchserve",
            cwd=place.folder,
            env=place.env,
            **options,
        )

    return started


@pytest.mark.parametrize("rows", CHUNKS, ids=range(len(CHUNKS)))
def test_every_flag_of_torchserve(start, place, rows):
    words = []
    for i, (flag, value, _) in enumerate(rows):
        words += [f"--{flag}"] if value is None else [f"--{flag}={value}"] if i % 2 else [f"--{flag}", value]
    server = start(*words, models=())
    assert place.predict() == 200  # without a key, as --disable-token-auth says
    expected = [f"--{flag}" for flag, _, taken in rows if taken == "ignored"]
    assert sorted(ignored_in(server.log())) == sorted(expected) and expected


def test_each_port_serves_its_own(start, place):
    start("--ts-config", "config.properties", "--disable-token-auth", "--enable-model-api")
    assert place.predict() == 200
    assert status(place.inference, "/ping")[0] == 200
    register = "/models?url=other.mar&initial_workers=1&synchronous=true"
    assert status(place.inference, register, "POST")[0] == 404
    assert status(place.management, "/predictions/net", "POST", body=ONES)[0] == 404
    assert status(place.management, register, "POST")[0] == 200
    assert place.predict("other") == 200
    page = status(place.metrics, "/metrics")[1]
    assert "ts_inference_requests_total{" in page and "modelmill_" in page
    assert status(place.metrics, "/ping")[0] == status(place.inference, "/metrics")[0] == 404
    code, text = status(place.inference, "/")
    assert code == 405 and json.loads(text)["type"] == "MethodNotAllowedException"
    # What TorchServe has not can't change the server.
    assert status(place.management, "/v2/repository/models/net/unload", "POST", body=b"{}")[0] == 403


def test_each_port_of_grpc_serves_its_own(start, place):
    start("--disable-token-auth", "--enable-model-api", models=("net.mar", "other.mar"))
    messages = torchserve_protos.messages(place.folder)
    channels = [grpc.insecure_channel(f"127.0.0.1:{port}") for port in place.ports[3:]]
    answers = {
        "Ping": ("google.protobuf.Empty", "TorchServeHealthResponse"),
        "UnregisterModel": ("UnregisterModelRequest", "ManagementResponse"),
    }
    ask = lambda channel, service, method, **fields: Stub(channel, service, messages).call(method, *answers[method], **fields)
    assert "Healthy" in ask(channels[0], f"{INFERENCE}.InferenceAPIsService", "Ping").health
    for channel, refused in zip(channels, (True, False)):
        try:
            ask(channel, f"{MANAGEMENT}.ManagementAPIsService", "UnregisterModel", model_name="other")
            assert not refused
        except grpc.RpcError as error:
            assert refused and error.code() == grpc.StatusCode.UNIMPLEMENTED, error
        channel.close()
    servers.wait_until(lambda: place.predict("other") == 404, "it is gone")


def test_keys_are_asked_for_and_models_are_as_at_the_start(start, place):
    server = start("--ncs")  # reads config.properties of the folder
    assert place.predict() == 400 and place.predict(key="inference") == 200
    headers = {"Authorization": f"Bearer {place.key('management')}"}
    assert status(place.management, "/models/net", headers=headers)[0] == 200
    assert status(place.management, "/models?url=other.mar", "POST", headers)[0] >= 400
    assert place.predict("other", "inference") == 404
    renewal = {"Authorization": f"Bearer {place.key('API')}"}
    before = place.key("inference")
    assert status(place.management, "/token?type=inference", headers=renewal)[0] == 200
    assert place.key("inference") != before and place.predict(key="inference") == 200
    server.stop()
    assert not (place.folder / "key_file.json").exists() and not (place.folder / ".model_server.pid").exists()


def test_the_last_snapshot_is_read(start, place):
    file = place.folder / "logs/config/20240102000000000-shutdown.cfg"
    file.parent.mkdir(parents=True)
    place.config("disable_token_authorization=true")
    file.write_text((place.folder / "config.properties").read_text())
    place.config("disable_token_authorization=true\nload_models=net.mar")
    for options, known in ((["--ncs"], 200), ([], 404)):
        server = start(*options, models=(), check_ready=bool(options))
        if not options:
            servers.wait_until(lambda: status(place.inference, "/ping")[0] == 200, "it answers")
        assert place.predict() == known
        server.stop()


def test_what_clients_register_is_there_again(start, place):
    place.config("disable_token_authorization=true\nenable_model_api=true")
    folder = place.folder / "logs/config"
    written = lambda kind: sorted(folder.glob(f"*-{kind}.cfg"))
    server = start()
    servers.wait_until(lambda: written("startup"), "the start is on record")
    assert status(place.management, "/models?url=other.mar&initial_workers=1&synchronous=true", "POST")[0] == 200
    assert status(place.management, "/models/other?min_worker=1&max_worker=2&synchronous=true", "PUT")[0] == 200
    assert status(place.management, "/models/net", "DELETE")[0] == 200
    assert len(written("snapshot")) >= 3
    server.stop()
    assert len(written("shutdown")) == 1 and [one.name for one in folder.iterdir() if one.suffix != ".cfg"] == []
    server = start()  # --models counts no more
    assert place.predict("other") == 200 and place.predict("net") == 404
    (other,) = json.loads(status(place.management, "/models/other")[1])
    assert (other["minWorkers"], other["maxWorkers"]) == (1, 2)
    server.stop()
    last = written("shutdown")[-1]
    server = start("--ts-config", str(last), "--ncs", models=())
    assert place.predict("other") == 200
    server.stop()
    assert written("shutdown")[-1] == last
    start("--ncs")
    assert place.predict("net") == 200 and place.predict("other") == 404


def test_what_is_registered_without_workers_has_none(start, place):
    place.config("disable_token_authorization=true\nenable_model_api=true")
    server = start()
    said = status(place.management, "/models?url=other.mar", "POST")
    assert said[0] == 200 and "registered with 0 initial workers" in said[1]
    workers = lambda: len(json.loads(status(place.management, "/models/other")[1])[0]["workers"])
    assert workers() == 0 and place.predict("other") == 503
    assert status(place.inference, "/ping")[0] == 200
    server.stop()
    start()  # as the last snapshot says
    servers.wait_until(lambda: place.predict() == 200, "net is served")
    servers.wait_until(lambda: place.predict("other") == 503, "other is known")
    assert status(place.management, "/models/other?min_worker=1&synchronous=true", "PUT")[0] == 200
    assert workers() == 1 and place.predict("other") == 200


def test_workers_of_what_is_registered_as_the_configuration_says(start, place):
    place.config("disable_token_authorization=true\nenable_model_api=true\ndefault_workers_per_model=2")
    start()
    assert "registered with 2 initial workers" in status(place.management, "/models?url=other.mar", "POST")[1]
    assert place.predict("other") == 200


def test_a_model_that_cannot_be_loaded_is_left_out(start, place):
    (place.folder / "store/broken.mar").write_bytes(b"no archive")
    start("--disable-token-auth", models=("broken.mar", "none.mar", "net.mar"), check_ready=False)
    servers.wait_until(lambda: place.predict() == 200, "net is served")


def test_in_the_background(place):
    place.config("disable_token_authorization=true")
    pid_file = place.folder / ".model_server.pid"
    assert place.run("--stop") == (0, "TorchServe is not currently running.\n")
    pid_file.write_text("1")  # somebody else's
    assert place.run("--start", "--model-store", "store", "--models", "net.mar")[0] == 0
    pid = int(pid_file.read_text())
    try:
        servers.wait_until(lambda: _answers(place), "net is served")
        code, text = place.run("--start", "--model-store", "store")
        assert code == 1 and "already running, please use torchserve --stop" in text
        assert place.run("--stop", "--foreground")[0] == 0
        assert not pid_file.exists() and not _lives(pid)
    finally:
        if _lives(pid):
            os.kill(pid, signal.SIGKILL)


def _answers(place):
    try:
        return place.predict() == 200
    except OSError:
        return False


def _lives(pid):
    stat = Path(f"/proc/{pid}/stat")
    return stat.exists() and stat.read_text().rpartition(")")[2].split()[0] != "Z"


def test_wrong_command_lines_of_torchserve(place):
    for arguments, code, text in (
        (["--modelstore", "x"], 2, "did you mean '--model-store'?"),
        (["--start", "--stop"], 2, "argument --stop: not allowed with argument --start"),
        (["--start"], 1, "Missing mandatory parameter --model-store"),
        (["--model-store", "none"], 1, "--model-store directory not found: none"),
        (["--model-store", "store", "--ts-config", "none"], 1, "--ts-config file not found: none"),
        (["--help"], 0, "--enable-model-api"),
        (["--version"], 0, "TorchServe Version is modelmill "),
    ):
        answered, said = place.run(*arguments)
        assert answered == code and text in said, (arguments, said)
    with socket.create_server(("127.0.0.1", place.ports[2])):
        code, text = place.run("--foreground", "--model-store", "store")
    assert code == 1 and str(place.ports[2]) in text
