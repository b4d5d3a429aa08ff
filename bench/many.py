"""Ten thousand models that are known and not loaded, and one that is loaded and unloaded a thousand times."""

import json
import shutil
import time

from measure import median, progress, table, verdict
from plain_call import call
from processes import Process, free_port
from versioned_model import VersionedModel, control, explicit_server
from workloads import models

REGISTERED = 10_000
START_TARGET_S, RSS_TARGET_MB = 5, 200
FIRST_REQUESTS = 10
CYCLES, SETTLED = 1_000, 100
GROWTH_TARGET_MB = 5  # more than that of bare ONNX Runtime
START_SECONDS = 120


def _plain_files(folder, content):
    folder.mkdir(parents=True)
    for i in range(REGISTERED):
        (folder / f"small-{i}.onnx").write_bytes(content)


def _version_folders(folder, content):
    for i in range(REGISTERED):
        version = folder / f"small-{i}" / "1"
        version.mkdir(parents=True)
        (version / "model.onnx").write_bytes(content)


LAYOUTS = {"plain files": _plain_files, "folders of versions": _version_folders}


def _is_ready(url):
    try:
        return call(url, "GET", "/v2/health/ready")[0] == 200
    except ConnectionRefusedError:
        return False


def _start(bench, folder):
    """(the server, seconds until it said that it is ready)"""
    port = free_port()
    began = time.perf_counter()
    server = Process(
        "modelmill",
        [bench.build / "modelmill", "serve", folder, "--port", port, "--io-threads", 2, "--log-level", "warning",
         "--load-on-demand"],
        bench.folder / "many.log",
        url=f"http://127.0.0.1:{port}",
    )  # fmt: skip
    while not _is_ready(server.url):
        if server.process.poll() is not None or time.perf_counter() - began > START_SECONDS:
            server.stop()
            raise RuntimeError(f"not ready: {server.log.read_text(errors='replace')[-2000:]}")
        time.sleep(0.001)
    return server, time.perf_counter() - began


def _first_request_ms(server, model):
    began = time.perf_counter()
    status, body = call(server.url, "POST", f"/predict/{model}", json.dumps({"x": [1, 2, 3, 4]}))
    took = (time.perf_counter() - began) * 1000
    if status != 200 or json.loads(body)["y"] != [3, 6, 9, 12]:
        raise RuntimeError(f"the first request of {model}: {status} {body[:300]!r}")
    return took


def _measure_registered(bench, layout):
    folder = bench.folder / "many"
    LAYOUTS[layout](folder, models.scaled(3).SerializeToString())
    starts, rss, first = [], [], []
    for repeat in range(bench.options.repeats):
        server, seconds = _start(bench, folder)
        try:
            starts.append(seconds)
            rss.append(server.rss_kb() / 1000)
            names = (f"small-{repeat * FIRST_REQUESTS + i}" for i in range(FIRST_REQUESTS))
            first += [_first_request_ms(server, name) for name in names]
        finally:
            server.stop()
    shutil.rmtree(folder)
    what = f"{REGISTERED:,} {layout}"
    return [
        _row(f"{what}: start to ready, s", starts, ".2f", verdict(median(starts), START_TARGET_S)),
        _row(f"{what}: RSS with none loaded, MB", rss, ".0f", verdict(median(rss), RSS_TARGET_MB)),
        _row(f"{what}: the first request of a model, ms", first, ".1f", ""),
    ]


def _row(what, values, form, reached):
    return [what, f"{median(values):{form}}", f"{min(values):{form}} to {max(values):{form}}", reached]


def _churn(bench, workload):
    """MB that the server has grown by from the SETTLED-th cycle to the last, and seconds of all."""
    model = VersionedModel(bench.folder / "churn/models", workload.name, workload.path)
    server = explicit_server(bench, "churn", model.repository)
    body = json.dumps({"x": workload.inputs["x"].tolist()})
    try:
        began, settled = time.perf_counter(), 0
        for cycle in range(1, CYCLES + 1):
            control(server, model.name, "load")
            status, answer = call(server.url, "POST", f"/predict/{model.name}", body)
            if status != 200:
                raise RuntimeError(f"cycle {cycle}: {status} {answer[:300]!r}")
            control(server, model.name, "unload")
            if cycle == SETTLED:
                settled = server.rss_kb()
        return (server.rss_kb() - settled) / 1000, time.perf_counter() - began
    finally:
        server.stop()


def _bare_churn(bench, workload):
    answer = bench.bare(workload, 1, loads=CYCLES, settled=SETTLED)
    return (answer["rss_kb"] - answer["settled_rss_kb"]) / 1000, answer["seconds"]


def _measure_churn(bench):
    workload = bench.workload("mlp")
    bare, bare_seconds = _bare_churn(bench, workload)
    ours, seconds = _churn(bench, workload)
    what = f"loads and unloads of the {workload.name}, RSS from the {SETTLED}th to the {CYCLES:,}th, MB"
    return [
        [f"{what}: bare ONNX Runtime", f"{bare:+.1f}", f"{bare_seconds / CYCLES * 1000:.1f} ms each", ""],
        [f"{what}: modelmill", f"{ours:+.1f}", f"{seconds / CYCLES * 1000:.1f} ms each",
         f"{GROWTH_TARGET_MB} more than bare {'reached' if ours - bare <= GROWTH_TARGET_MB else 'MISSED'}"],
    ]  # fmt: skip


def measure(bench):
    rows = []
    for layout in LAYOUTS:
        rows += _measure_registered(bench, layout)
    rows += _measure_churn(bench)
    for row in rows:
        progress("many", row)
    return "## Many models\n\n" + table(["what", "measured", "range", "target"], rows)
