"""The guides of docs/moving-from-*.md: every command in them is run, in the order in which they stand there."""

import json
import re
import shlex
import subprocess

import pytest

import archives
import models
import repositories
import servers
from free_ports import free_ports

DOCS = servers.ROOT / "docs"
BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
OURS = "127.0.0.1:8000"  # where guides find what `modelmill serve` has started

LOOPBACK = ["--http-address=127.0.0.1", "--grpc-address=127.0.0.1", "--metrics-address=127.0.0.1"]


def triton(place):
    repositories.main_repository(place / "model_repository")


def tensorflow(place):
    models.save(models.scaled(0.5), place / "base/half/001/model.onnx")
    (place / "models.config").write_text(
        f'model_config_list {{ config {{ name: "half" base_path: "{place}/base/half" model_platform: "tensorflow" }} }}'
    )


def torchserve(place):
    archives.write(place / "store/scale.mar", archives.mar_files("scale", "1.0", 2))
    ports = free_ports(5)
    (place / "config.properties").write_text(
        f"model_store={place}/store\nload_models=scale.mar\nio_ratio=50\n"
        f"inference_address=http://127.0.0.1:{ports[0]}\nmanagement_address=http://127.0.0.1:{ports[1]}\n"
        f"metrics_address=http://127.0.0.1:{ports[2]}\ngrpc_inference_port={ports[3]}\ngrpc_management_port={ports[4]}\n"
    )


def mlserver(place):
    models.save(models.scaled(2), place / "mlserver/iris/net.onnx")
    settings = {"name": "iris", "implementation": "mlserver_onnx.OnnxRuntime", "parameters": {"uri": "./net.onnx"}}
    (place / "mlserver/iris/model-settings.json").write_text(json.dumps(settings))
    models.save(models.scaled(3), place / "mlflow/digits/model.onnx")
    (place / "mlflow/digits/MLmodel").write_text("flavors:\n  onnx: {onnx_version: 1.16.0, data: model.onnx}\n")
    ports = dict(zip(("http_port", "grpc_port", "metrics_port"), free_ports(3)))
    (place / "mlserver/settings.json").write_text(json.dumps({"host": "127.0.0.1", **ports}))


# By guide: what is there before, and who stands in for the server that it moves from, at the address that it is given.
GUIDES = {
    "moving-from-triton.md": (triton, "triton.example:8000"),
    "moving-from-tensorflow-serving.md": (tensorflow, "tfserving.example:8501"),
    "moving-from-torchserve.md": (torchserve, "torchserve.example:8080"),
    "moving-from-kserve.md": (mlserver, "mlserver.example:8080"),
    "moving-from-bentoml.md": (lambda place: None, None),
}


class Walk:
    """Does what a guide says. Servers that it starts stay; what it calls by a fixed port is at a free one."""

    def __init__(self, serve, place, incumbent):
        self.serve, self.place, self.incumbent = serve, place, incumbent
        self.addresses = {}
        self.env = servers.environment()
        (place / "bin").mkdir()
        (place / "bin/modelmill").symlink_to(servers.binary())
        self.env["PATH"] = f"{place / 'bin'}:{self.env['PATH']}"

    def run(self, block):
        if re.match(r"modelmill (serve|--as) ", block):
            self.start(shlex.split(block))
        else:
            self.call(block)

    def start(self, words):
        if words[1] == "serve":
            own = [word for word in words[2:] if word not in ("--host", "127.0.0.1", "--port", "8090")]
            server = self.serve(*own, cwd=self.place)
            self.addresses[OURS] = server.address
            return
        name, arguments = words[2], words[3:]
        if name != "torchserve":
            # Their ports are fixed where the guide says them.
            for i, port in enumerate(free_ports(len(arguments))):
                arguments[i] = re.sub(r"port=\d+$", f"port={port}", arguments[i])
        if name == "tritonserver":
            arguments += LOOPBACK
        env = {"MODELMILL_BIND": "127.0.0.1", "TMPDIR": str(self.place), "LOG_LOCATION": str(self.place / "logs")}
        server = self.serve(*arguments, personality=name, env=env, cwd=self.place, check_ready=False)
        servers.wait_until(lambda: self.answers(server), "the server that stands in is ready")
        urls = server.urls if name == "tensorflow_model_server" else [server.url]
        self.addresses[self.incumbent] = next(url for url in urls if self.speaks_http(url)).partition("://")[2]

    def answers(self, server):
        assert server.process.poll() is None, server.text()
        return any(self.speaks_http(url) for url in server.urls)

    @staticmethod
    def speaks_http(url):
        reply = subprocess.run(
            ["curl", "-s", "--noproxy", "*", "-o", "/dev/null", "-w", "%{http_code}", f"{url}/v2/health/ready"],
            capture_output=True, text=True,
        )  # fmt: skip
        return reply.stdout == "200"

    def call(self, block):
        script = block.replace("curl ", "curl --noproxy '*' ")
        for wanted, found in self.addresses.items():
            script = script.replace(wanted, found)
        if "modelmill models" in script or "modelmill explain" in script:
            script = re.sub(r"^(modelmill (?:models|explain).*)$", rf"\1 --server http://{self.addresses[OURS]}", script, flags=re.M)
        if "modelmill verify" in script and "--with" not in script:
            script = script.replace("modelmill verify", f"modelmill verify --with http://{self.addresses[OURS]}")
        result = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script], cwd=self.place, env=self.env, capture_output=True, text=True, timeout=120
        )
        assert result.returncode == 0, f"{script}\n{result.stdout}\n{result.stderr}"


@pytest.mark.parametrize("guide", GUIDES)
def test_every_command_of_a_guide_works(serve, tmp_path, guide):
    prepare, incumbent = GUIDES[guide]
    place = tmp_path / "place"
    place.mkdir()
    prepare(place)
    walk = Walk(serve, place, incumbent)
    blocks = BLOCK.findall((DOCS / guide).read_text())
    assert len(blocks) >= 4
    for block in blocks:
        walk.run(block)
    assert incumbent is None or incumbent in walk.addresses


def test_guides_have_no_other_commands():
    """What is a command stands in a block that is run."""
    assert sorted(GUIDES) == sorted(path.name for path in DOCS.glob("moving-from-*.md"))
    for guide in GUIDES:
        rest = BLOCK.sub("", (DOCS / guide).read_text())
        assert re.findall(r"^ *(?:modelmill|curl|cat) .*$", rest, re.MULTILINE) == [], guide
