"""What is PyTorch's alone: files as they lie on disk, how tensors are named, what programs answer with, state, threads."""

import base64
import concurrent.futures
import io
import json
import pathlib
import shutil
import subprocess
import zipfile

import numpy as np
import pytest

import servers
from changing_models import control, served_versions
from kits.pytorch import KIT, config
from repositories import parameter
from servers import run_cli
from stand import answer, make_models, put


@pytest.fixture(scope="module")
def made():
    return make_models(KIT)


def fake_torch(folder, version):
    """A Python environment with a torch of that version, whose library is none."""
    package = folder / "lib/python3.11/site-packages/torch"
    (package / "lib").mkdir(parents=True)
    (package / "version.py").write_text(f"from typing import Optional\n__version__ = '{version}'\ncuda = '13.2'\n")
    (package / "lib/libtorch_cpu.so").write_bytes(b"\x7fELF no library")
    return folder


def without_plugin_file(tmp_path):
    """The environment and options of a server that finds a torch of a minor which it has no plugin file for, and whose
    workers have the real one."""
    return {KIT.variable: str(fake_torch(tmp_path / "other", "2.3.1+cu121"))}, ("--python", KIT.venv)


@pytest.fixture(params=["plugin", "workers"])
def way(request, tmp_path):
    """What runs the models: programs mean the same in the server's process and in workers."""
    return (KIT.environment(), ()) if request.param == "plugin" else without_plugin_file(tmp_path)


def serving(tmp_path, *arguments, way=None):
    environment, options = way or (KIT.environment(), ())
    return servers.serving(tmp_path, *arguments, *options, env=environment)


def explicit(tmp_path, models, way=None):
    """A server that has loaded nothing yet."""
    return serving(tmp_path, models, "--model-control-mode=explicit", way=way)


def load(server, *models):
    for model in models:
        assert control(server, model, "load") == (200, ""), model


def refusal(server, model):
    """Why a model can't be loaded."""
    status, text = control(server, model, "load")
    assert status >= 400, text
    return text


def ports(server, model, side):
    return {p["name"]: (p["datatype"], p["shape"]) for p in server.get_json(f"/v2/models/{model}")[side]}


def test_files_are_found_as_triton_and_nobody_lay_them_out(made, tmp_path, way):
    models = tmp_path / "models"
    put(made, "mlp", models / "bare")
    put(made, "mlp", models / "triton", 'platform: "pytorch_libtorch"\nmax_batch_size: 8\n')
    put(made, "packed", models / "compiled", 'platform: "torch_aoti"\n')
    put(made, "mlp", models / "named", 'backend: "pytorch"\ndefault_model_filename: "net.torchscript"\n')
    (models / "named/1/model.pt").rename(models / "named/1/net.torchscript")
    shutil.copy(made / "mlp/1/model.pt", tmp_path / "alone.pt")
    with serving(tmp_path, models, tmp_path / "alone.pt", way=way) as server:
        x = [[0.5] * 64]
        first = answer(server, "bare", {"input": x})
        for model in ("triton", "named", "alone"):
            assert answer(server, model, {"input": x}) == first, model
            assert served_versions(server, model) == ["1"]
        assert np.shape(answer(server, "compiled", {"INPUT__0": x, "scale": [[1]]})["y"]) == (1, 10)
        assert server.get_json("/v2/models/bare")["platform"] == "pytorch_libtorch"
        assert server.get_json("/v2/models/compiled")["platform"] == "torch_aoti"
        assert server.get_json("/v2/models/triton/config")["max_batch_size"] == 8
        assert server.get_json("/v2/models/bare/config")["max_batch_size"] == 64


def test_what_a_program_was_traced_with_is_what_it_takes(made, tmp_path, way):
    with serving(tmp_path, made / "cnn", made / "scalar", made / "packed", way=way) as server:
        assert ports(server, "cnn", "inputs") == {"input": ("FP32", [-1, 3, 32, 32])}
        assert ports(server, "cnn", "outputs") == {"OUTPUT__0": ("FP32", [-1, 10])}
        assert ports(server, "scalar", "inputs") == {"x": ("FP32", [])}
        assert ports(server, "packed", "inputs") == {"INPUT__0": ("FP32", [-1, 64]), "scale": ("FP32", [-1, 1])}
        assert ports(server, "packed", "outputs") == {"y": ("FP32", [-1, 10]), "total": ("FP32", [-1])}


def test_configured_names_are_the_programs_or_tell_their_place_or_stand_in_order(made, tmp_path, way):
    two = {"a": ("INT32", [16]), "b": ("INT32", [16])}
    results = {"sum": ("INT32", [16]), "difference": ("INT32", [16])}
    models = tmp_path / "models"
    renamed = {
        "own": ({"b": two["b"], "a": two["a"]}, {"difference": results["difference"]}),
        "indexed": ({"IN__1": two["b"], "IN__0": two["a"]}, {"OUT__1": results["difference"], "OUT__0": results["sum"]}),
        "ordered": ({"left": two["a"], "right": two["b"]}, {"plus": results["sum"], "minus": results["difference"]}),
    }
    for name, (inputs, outputs) in renamed.items():
        put(made, "add_sub", models / name, "max_batch_size: 4\n" + config(inputs, outputs))
    with serving(tmp_path, models, way=way) as server:
        seven, two = [[7] * 16], [[2] * 16]
        assert answer(server, "own", {"a": seven, "b": two}) == {"difference": [[5] * 16]}
        assert answer(server, "indexed", {"IN__0": seven, "IN__1": two}) == {"OUT__1": [[5] * 16], "OUT__0": [[9] * 16]}
        assert answer(server, "ordered", {"left": seven, "right": two}) == {"plus": [[9] * 16], "minus": [[5] * 16]}


def test_configurations_that_do_not_fit_are_told(made, tmp_path, way):
    x, y = {"x": ("FP32", [-1, 64])}, {"y": ("FP32", [-1, 10])}
    models = tmp_path / "models"
    wrong = {
        "many": ("mlp", config({**x, "z": ("FP32", [1])}, y), "input 'z' of the configuration would be number 1"),
        "output": ("mlp", config(x, {"y": ("INT64", [-1, 10])}), "but the model answers FP32[-1,10]"),
        "outputs": ("mlp", config(x, {"a__0": y["y"], "b__3": y["y"]}), "would be number 3"),
        "type": ("packed", config({"INPUT__0": ("FP64", [-1, 64]), "scale": ("FP32", [-1, 1])}, {}), "but FP32 of 2 dimensions"),
        "size": ("packed", config({"INPUT__0": ("FP32", [-1, 9]), "scale": ("FP32", [-1, 1])}, {}), "is 64 in the package"),
        "lack": ("packed", config({"INPUT__0": ("FP32", [-1, 64])}, {}), "lacks input 'scale'"),
        "text": ("mlp", config({"x": ("BYTES", [-1])}, y), "which is no text"),
        "threads": ("mlp", parameter("INTRA_OP_THREAD_COUNT", -3), "'INTRA_OP_THREAD_COUNT' is -3; it must be from 0"),
        "switch": ("mlp", parameter("INFERENCE_MODE", "perhaps"), "'perhaps' is not true or false"),
        "on_gpu": ("mlp", "instance_group { kind: KIND_GPU }", "GPU"),
        "untold": ("attend", "", "list them in config.pbtxt"),
    }
    for name, (model, text, _) in wrong.items():
        put(made, model, models / name, text)
    put(made, "mlp", models / "good")
    with explicit(tmp_path, models, way) as server:
        load(server, "good")
        for name, (_, _, told) in wrong.items():
            assert told in refusal(server, name), (name, refusal(server, name))
        assert np.shape(answer(server, "good", {"input": [[0.5] * 64]})["OUTPUT__0"]) == (1, 10)


def test_torchscripts_executors_answer_alike(made, tmp_path, way):
    models = tmp_path / "models"
    settings = {
        "plain": "",
        "simple": parameter("ENABLE_JIT_EXECUTOR", "false"),
        "unprofiled": parameter("ENABLE_JIT_PROFILING", "false"),
        "unoptimized": parameter("DISABLE_OPTIMIZED_EXECUTION", "true"),
        "usual": parameter("ENABLE_JIT_EXECUTOR", "true") + parameter("ENABLE_JIT_PROFILING", "true"),
    }
    for name, text in settings.items():
        put(made, "mlp", models / name, text)
    put(made, "mlp", models / "wrong", parameter("ENABLE_JIT_PROFILING", "perhaps"))
    rows = {"input": np.random.default_rng(3).standard_normal((5, 64)).tolist()}
    with explicit(tmp_path, models, way) as server:
        load(server, *settings)
        assert "'perhaps' is not true or false" in refusal(server, "wrong")
        expected = answer(server, "plain", rows)["OUTPUT__0"]
        for _ in range(3):
            for name in settings:
                np.testing.assert_allclose(answer(server, name, rows)["OUTPUT__0"], expected, rtol=1e-4, atol=1e-6)


def test_arguments_and_answers_of_all_kinds(made, tmp_path, way):
    x, pair = ("FP32", [-1]), {"left": ("FP32", [-1]), "right": ("FP32", [-1])}
    models = tmp_path / "models"
    put(made, "loose", models / "few", config({"x": x, "shift": ("INT64", [1])}, {"y": x}))
    put(made, "loose", models / "more", config({"x": x, "shift": ("INT64", [1]), "factor": ("FP64", [1]), "twice": x}, {}))
    put(made, "keyed", models / "keyed", config(pair, {}))
    put(made, "named", models / "named", config({"x": x}, {}))
    put(made, "in_place", models / "in_place", config({"x": x}, {}))
    with serving(tmp_path, models, way=way) as server:
        assert answer(server, "few", {"x": [1, 2], "shift": [3]}) == {"y": [5, 7]}
        more = {"x": [1, 2], "shift": [3], "factor": [10], "twice": [1, 1]}
        assert answer(server, "more", more) == {"OUTPUT__0": [15, 25]}
        assert answer(server, "keyed", {"left": [1], "right": [2]}) == {"sum": [3]}
        assert answer(server, "named", {"x": [1, 2]}) == {"left": [1, 2], "top": [-1, -2]}
        for _ in range(3):
            assert answer(server, "in_place", {"x": [1, 2]}) == {"OUTPUT__0": [1, 2], "OUTPUT__1": [2, 4]}


def test_state_is_the_clients(made, tmp_path):
    """What was tried at the load is not seen, and nothing is batched."""
    models = tmp_path / "models"
    put(made, "counter", models / "counter", "instance_group { count: 4 }" + config({"x": ("FP32", [1])}, {}))
    with serving(tmp_path, models) as server:
        assert [answer(server, "counter", {"x": [0]})["OUTPUT__0"] for _ in range(4)] == [[0], [1], [2], [3]]
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda _: answer(server, "counter", {"x": [0]})["OUTPUT__0"][0], range(200)))
        assert sorted(answers) == list(range(4, 204)), "each changes it once"
        assert "neither batched nor warmed up" in server.log()


def test_a_package_takes_what_it_was_compiled_for(made, tmp_path, way):
    put(made, "packed", tmp_path / "packed", "max_batch_size: 0")
    with serving(tmp_path, tmp_path / "packed", way=way) as server:
        rows = lambda count: {"INPUT__0": [[0.5] * 64] * count, "scale": [[2]] * count}  # noqa: E731
        assert len(answer(server, "packed", rows(64))["total"]) == 64
        status, reply = server.post_json("/predict/packed", rows(65))
        assert status == 400 and "its size 0 may be at most 64" in reply["error"], reply


def with_code(file, code):
    """A TorchScript file with other source in it."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(file)) as old, zipfile.ZipFile(out, "w") as new:
        for name in old.namelist():
            new.writestr(name, code if name.endswith(".py") else old.read(name))
    return out.getvalue()


def test_files_that_hold_no_program_are_told_of(made, tmp_path, way):
    models = tmp_path / "models"

    def put_file(name, bytes_, file="model.pt"):
        (models / name / "1").mkdir(parents=True)
        (models / name / "1" / file).write_bytes(bytes_)

    saved = made / "saved"
    put_file("state", (saved / "state_dict.pt").read_bytes())
    put_file("old", (saved / "old.pt").read_bytes())
    put_file("exported", (saved / "exported.pt2").read_bytes(), "model.pt2")
    whole = (made / "mlp/1/model.pt").read_bytes()
    for size in (10, len(whole) // 2, len(whole) - 1):
        put_file(f"cut_{size}", whole[:size])
    put_file("spoilt", with_code(whole, b"def forward(self"))
    put_file("headless", with_code(whole, b""))
    put_file("empty", b"")
    put(made, "mlp", models / "good")
    told = {
        "state": "written by torch.save", "old": "torch.jit.script(model)", "exported": "is not compiled",
        "empty": "is no file of PyTorch's", "spoilt": "can't be loaded",
        "headless": "can't be loaded",
    }  # fmt: skip
    with explicit(tmp_path, models, way) as server:
        load(server, "good")
        for folder in models.iterdir():
            if folder.name == "good":
                continue
            text = refusal(server, folder.name)
            assert f"model '{folder.name}' version 1: " in text
            assert told.get(folder.name, "it is cut") in text, text
        server.assert_alive()


def threads(server):
    return len(list(pathlib.Path(f"/proc/{server.process.pid}/task").iterdir()))


def test_threads_are_as_configured_for_each_model(made, tmp_path):
    """An execution stays on its thread by default; another model's larger team does not change that."""
    models = tmp_path / "models"
    put(made, "slow", models / "one", "instance_group { count: 1 }" + config({"x": ("FP32", [1, 16])}, {}))
    many = parameter("INTRA_OP_THREAD_COUNT", 5) + parameter("INTER_OP_THREAD_COUNT", 2) + "instance_group { count: 1 }"
    put(made, "slow", models / "many", many + config({"x": ("FP32", [1, 16])}, {}))
    with explicit(tmp_path, models) as server:
        load(server, "one")
        x = {"x": [[0.5] * 16]}
        one = answer(server, "one", x)
        before = threads(server)
        load(server, "many")
        many = answer(server, "many", x)
        assert threads(server) - before >= 4
        np.testing.assert_allclose(one["OUTPUT__0"], many["OUTPUT__0"], rtol=1e-5)
        assert control(server, "many", "unload") == (200, "")
        between = threads(server)
        assert answer(server, "one", x) == one
        assert threads(server) <= between


def pytorch_of_doctor(environment):
    report = json.loads(run_cli("doctor", "--json", env=environment).stdout)
    (backend,) = [backend for backend in report["backends"] if backend["name"] == "pytorch"]
    return backend


def test_a_torch_of_another_minor_is_named_and_passed_over(made, tmp_path):
    other = fake_torch(tmp_path / "other", "2.3.1+cu121")
    backend = pytorch_of_doctor({KIT.variable: str(other)})
    assert not backend["available"]
    assert "is torch 2.3.1+cu121, but this build of modelmill serves with torch 2." in backend["problem"]
    assert "pip install torch==2." in backend["remedy"]
    result = run_cli("serve", made / "mlp", "--port", 0, env={KIT.variable: str(other)})
    assert result.returncode != 0 and "is torch 2.3.1+cu121" in result.stderr
    assert "needs the package 'torch', which" in result.stderr, "nor has the workers' Python one"
    unknown = fake_torch(tmp_path / "unknown", "2.15.0")
    (unknown / "lib/python3.11/site-packages/torch/version.py").unlink()
    assert "does not tell its version" in pytorch_of_doctor({KIT.variable: str(unknown)})["problem"]
    # One that can't serve does not hide one that can.
    environment = {"VIRTUAL_ENV": str(other), "PATH": f"{KIT.venv / 'bin'}:/usr/bin:/bin"}
    assert pytorch_of_doctor(environment)["available"]


def test_packages_of_clients_are_not_run(made, tmp_path, way):
    """Native code that came by the API is refused; TorchScript, which torch interprets, is not."""
    put(made, "cnn", tmp_path / "models/own")
    with explicit(tmp_path, tmp_path / "models", way) as server:
        for model, file, expected in (("packed", "model.pt2", 403), ("packed", "model.pt", 403), ("mlp", "model.pt", 200)):
            content = base64.b64encode(next((made / model / "1").iterdir()).read_bytes()).decode()
            parameters = {"config": json.dumps({"backend": "pytorch"}), f"file:1/{file}": content}
            body = json.dumps({"parameters": parameters}).encode()
            status, reply, _ = server.request("POST", f"/v2/repository/models/{model}/load", body)
            assert status == expected, reply
            assert expected == 200 or (b"native code" in reply and file.encode() in reply)


def test_the_plugin_itself_needs_no_torch():
    plugin = servers.build_dir() / "modelmill_pytorch.so"
    needed = subprocess.run(["readelf", "-d", plugin], check=True, capture_output=True, text=True).stdout
    assert "NEEDED" in needed and "torch" not in needed.replace("modelmill_pytorch", "")
