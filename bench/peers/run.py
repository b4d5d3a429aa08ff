#!/usr/bin/env python3
"""Measures modelmill against servers that pip installs, on demand: the MLP, the same requests to both, interleaved.

    bench/peers/run.py [--build build/bench] [--repeats 3] [--seconds 1.5] [--no-file] [PEER...]

Each peer has a virtual environment of its own under build/peers, made when it is first asked for, and two workers or
instances with one thread each in the runtime. The load is what the peer speaks best: gRPC for Triton, the V2 protocol's
JSON for MLServer, TorchServe's own JSON, plain JSON for the others; modelmill is asked in the same protocol, or by
/predict where that protocol is LitServe's or BentoML's own. modelmill has the MLP's file; as torchserve-handler it
serves the archive that TorchServe has, and runs its handler. TorchServe needs a Java runtime. CPU is that of all of a
server's processes.
"""

import argparse
import contextlib
import datetime
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

FOLDER = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(FOLDER.parent))

import load  # noqa: E402
import machine  # noqa: E402
import measure as measuring  # noqa: E402
import workloads  # noqa: E402
from load import Level, Request  # noqa: E402
from measure import cpu, median, speed  # noqa: E402
from processes import ROOT, START_SECONDS, Process, environment, free_port  # noqa: E402

JSON = ("content-type: application/json",)
LEVELS = (Level(1, 1), Level(8, 1), Level(64, 1))


class Peer:
    """One peer: how it is installed and started, and the requests that it and modelmill are asked with."""

    name = ""
    package = ""  # the folder of what is installed, where it is not the name
    target = None  # so many times less CPU must modelmill take
    answers_alike = False  # all of the same length, without times and ids in them

    def __init__(self, folder, model):
        self.work = folder / self.name
        self.work.mkdir(parents=True)
        self.model = model
        self.venv = ROOT / "build/peers" / (self.package or self.name) / "venv"
        self.sources = FOLDER / (self.package or self.name)
        self.port = free_port()

    def install(self):
        stamp = self.venv / ".installed"
        requirements = (self.sources / "requirements.txt").read_text()
        if stamp.exists() and stamp.read_text() == requirements:
            return
        shutil.rmtree(self.venv, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", str(self.venv)], check=True)
        pip = [self.venv / "bin/pip", "install", "--quiet", "--disable-pip-version-check", "-r"]
        subprocess.run([str(part) for part in (*pip, self.sources / "requirements.txt")], check=True)
        stamp.write_text(requirements)

    def environment(self):
        env = environment()
        env.update(VIRTUAL_ENV=str(self.venv), PATH=f"{self.venv / 'bin'}:{env['PATH']}", MODEL=str(self.model))
        env.update(PORT=str(self.port), HOME=str(self.work), OMP_NUM_THREADS="1")
        return env

    def start(self, *command, cwd=None):
        server = Process(
            self.name, command, self.work / "log", f"http://127.0.0.1:{self.port}", self.environment(), cwd or self.work
        )
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                load.ask_once(server.url, self.request())
                return server
            except RuntimeError as error:
                if server.process.poll() is not None or time.monotonic() > deadline:
                    server.stop()
                    raise RuntimeError(
                        f"{self.name}: {error}\n{server.log.read_text(errors='replace')[-3000:]}"
                    ) from None
                time.sleep(0.2)

    def file(self, name, value):
        path = self.work / name
        path.write_text(json.dumps(value))
        return str(path)

    def row(self):
        return [[round(0.1 * i % 1, 2) for i in range(64)]]

    def plain(self, path):
        """{"x": ...} to a path."""
        return Request(path, self.file("plain.json", {"x": self.row()}), JSON, grpc=False)

    def request_to_modelmill(self):
        return self.plain("/predict/mlp")

    @contextlib.contextmanager
    def modelmill(self, bench):
        """The one that is asked."""
        yield bench.modelmill


class LitServe(Peer):
    name = "litserve"

    def serve(self):
        return self.start(self.venv / "bin/python", self.sources / "server.py")

    def request(self):
        return self.plain("/predict")


class BentoML(Peer):
    name = "bentoml"
    service = "service:Mlp"

    def serve(self):
        command = ["serve", self.service, "--host", "127.0.0.1", "--port", self.port, "--working-dir", self.sources]
        return self.start(self.venv / "bin/bentoml", *command)

    def request(self):
        return self.plain("/predict")


class MLServer(Peer):
    name = "mlserver"

    def serve(self):
        shutil.copy(self.sources / "model.py", self.work / "model.py")
        self.file("model-settings.json", {"name": "mlp", "implementation": "model.Mlp"})
        settings = {"http_port": self.port, "grpc_port": free_port(), "metrics_port": free_port()}
        self.file("settings.json", {"host": "127.0.0.1", "parallel_workers": 2, "debug": False, **settings})
        return self.start(self.venv / "bin/mlserver", "start", self.work)

    def request(self):
        tensor = {"name": "x", "shape": [1, 64], "datatype": "FP32", "data": self.row()[0]}
        return Request("/v2/models/mlp/infer", self.file("v2.json", {"inputs": [tensor]}), JSON, grpc=False)

    def request_to_modelmill(self):
        return self.request()


class Triton(Peer):
    """nvidia-pytriton's tritonserver with its Python backend, by gRPC; by HTTP too at `http_url`."""

    name = "triton"

    def __init__(self, folder, model):
        super().__init__(folder, model)
        self.http_port = free_port()
        self.http_url = f"http://127.0.0.1:{self.http_port}"

    def serve(self):
        packages = next((self.venv / "lib").glob("python3*/site-packages"))
        triton = packages / "pytriton/tritonserver"
        python = f"{sys.version_info.major}.{sys.version_info.minor}"
        shutil.copytree(triton / "backends/python", self.work / "backends/python")
        shutil.copy(triton / f"python_backend_stubs/{python}/triton_python_backend_stub", self.work / "backends/python")
        for name, code in (("mlp", "mlp"), ("identity", "identity"), ("identity_batched", "identity")):
            (self.work / f"models/{name}/1").mkdir(parents=True)
            shutil.copy(self.sources / f"{name}.pbtxt", self.work / f"models/{name}/config.pbtxt")
            shutil.copy(self.sources / f"{code}.py", self.work / f"models/{name}/1/model.py")
        self.packages = packages
        return self.start(
            triton / "bin/tritonserver", "--model-repository=models", "--backend-directory=backends",
            "--allow-metrics=false", f"--http-port={self.http_port}", "--http-address=127.0.0.1",
            f"--grpc-port={self.port}", "--grpc-address=127.0.0.1",
        )  # fmt: skip

    def environment(self):
        env = super().environment()
        base = pathlib.Path(sys.base_prefix) / "lib"
        env["LD_LIBRARY_PATH"] = f"{self.packages / 'nvidia_pytriton.libs'}:{base}"
        env["PYTHONPATH"] = str(self.packages)
        return env

    def request(self):
        import numpy as np

        return load.grpc_request(self.work, "mlp", "mlp", {"x": np.asarray(self.row(), np.float32)})

    def request_to_modelmill(self):
        return self.request()


class TorchServe(Peer):
    name = package = "torchserve"
    target = 10
    answers_alike = True

    def environment(self):
        env = super().environment()
        env["PYTHONPATH"] = str(self.sources / "stub")
        env["TMPDIR"] = str(self.work / "tmp")  # where it notes that it runs, and finds that another does
        return env

    def serve(self):
        if shutil.which("java") is None:
            raise RuntimeError("it needs Java: apt-get install openjdk-17-jre-headless")
        archiver = self.venv / "bin/torch-model-archiver"
        for folder in ("store", "tmp"):
            (self.work / folder).mkdir()
        subprocess.run(
            [str(archiver), "--model-name", "mlp", "--version", "1.0", "--handler", str(self.sources / "handler.py"),
             "--extra-files", str(self.model), "--export-path", "store", "--force"],
            check=True, cwd=self.work, env=self.environment(), stdout=subprocess.DEVNULL,
        )  # fmt: skip
        (self.work / "config.properties").write_text(
            f"inference_address=http://127.0.0.1:{self.port}\nmanagement_address=http://127.0.0.1:{free_port()}\n"
            f"metrics_address=http://127.0.0.1:{free_port()}\ngrpc_inference_port={free_port()}\n"
            f"grpc_management_port={free_port()}\ndefault_workers_per_model=2\ndisable_token_authorization=true\n"
        )
        return self.start(
            self.venv / "bin/torchserve", "--start", "--foreground", "--ncs", "--model-store", "store",
            "--models", "mlp=mlp.mar", "--ts-config", "config.properties", "--disable-token-auth",
        )  # fmt: skip

    def request(self):
        return self.plain("/predictions/mlp")

    def request_to_modelmill(self):
        return self.request()


class TorchServeHandler(TorchServe):
    """The handler in both of them."""

    name = "torchserve-handler"
    target = None

    @contextlib.contextmanager
    def modelmill(self, bench):
        command = [bench.program, "serve", self.work / "store/mlp.mar", "--port", 0, "--io-threads", 2, "--python",
                   self.venv / "bin/python"]  # fmt: skip
        server = Process("modelmill", command, self.work / "modelmill.log", env=self.environment())
        try:
            yield server
        finally:
            server.stop()


PEERS = {peer.name: peer for peer in (Triton, LitServe, BentoML, MLServer, TorchServe, TorchServeHandler)}


def measure(bench, peer):
    """Rows of the table: one for each level."""
    peer.install()
    server = peer.serve()
    try:
        with peer.modelmill(bench) as modelmill:
            return [measure_level(bench, peer, modelmill, server, level) for level in LEVELS]
    finally:
        server.stop()


def measure_level(bench, peer, modelmill, server, level):
    measured = bench.interleaved({
        "ours": measuring.served(bench, modelmill, peer.request_to_modelmill(), level),
        "theirs": (measuring.served if peer.answers_alike else unchecked)(bench, server, peer.request(), level),
    })  # fmt: skip
    ours, theirs = measured["ours"], measured["theirs"]
    value = measuring.ratio(theirs, ours, cpu)
    row = [
        peer.name, str(level), f"{median(map(cpu, ours)):.0f}", f"{median(map(cpu, theirs)):.0f}", f"**{value:.1f}**",
        measuring.verdict_at_least(value, peer.target), f"{median(map(speed, ours)):,.0f}",
        f"{median(map(speed, theirs)):,.0f}", f"{measuring.ratio(ours, theirs, speed):.1f}",
    ]  # fmt: skip
    measuring.progress("peers", row)
    return row


def unchecked(bench, server, request, level):
    """A measure of a peer, whose answers may differ in length (times and ids in their JSON)."""
    load.ask_once(server.url, request)
    count = load.calibrate(server, request, level, bench.options.seconds)
    return lambda: load.run(server, request, level, count)


class Ours:
    """modelmill with the MLP alone."""

    def __init__(self, options, folder):
        self.options = options
        self.model = workloads.models.save(workloads.models.mlp(), folder / "mlp.onnx")
        self.program = pathlib.Path(options.build).resolve() / "modelmill"
        command = [self.program, "serve", self.model, "--port", 0, "--io-threads", 2]
        self.modelmill = Process("modelmill", command, folder / "modelmill.log")

    def interleaved(self, measures):
        return measuring.interleaved(measures, self.options.repeats)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default=ROOT / "build/bench")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=1.5)
    parser.add_argument("--no-file", action="store_true", help="print only; write nothing into bench/results")
    parser.add_argument("peers", nargs="*", metavar="PEER", help=f"of {', '.join(PEERS)}; all without")
    options = parser.parse_args()
    if unknown := set(options.peers) - set(PEERS):
        parser.error(f"no peer {', '.join(unknown)}")
    rows, failed = [], []
    with tempfile.TemporaryDirectory(prefix="modelmill-peers-") as name:
        bench = Ours(options, pathlib.Path(name))
        try:
            for peer in options.peers or PEERS:
                try:
                    rows += measure(bench, PEERS[peer](pathlib.Path(name), bench.model))
                except (RuntimeError, OSError, subprocess.CalledProcessError) as error:
                    failed.append(f"{peer}: {error}")
        finally:
            bench.modelmill.stop()
    table = measuring.table(
        ["peer", "connections x streams", "modelmill, CPU us", "peer, CPU us", "peer / modelmill", "target", "modelmill, req/s",
         "peer, req/s", "modelmill / peer"], rows,
    )  # fmt: skip
    commit = machine.commit()
    text = f"# The MLP against peers, {datetime.date.today()}, commit {commit}\n\n{machine.description()}.\n\n{table}\n"
    print(text)
    for failure in failed:
        print("NOT MEASURED", failure, file=sys.stderr)
    path = ROOT / f"bench/results/{datetime.date.today()}-{commit}-peers.md"
    if rows and not options.no_file:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
