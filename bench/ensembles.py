"""What an ensemble of three costs beside its members, when these are asked one by one."""

from load import Level, grpc_request
from measure import cpu, median, progress, served, table, verdict
from processes import Process

TARGET = 1.05  # times the CPU of the members' requests
MODELS = ("mlp", "cnn")
LEVELS = (Level(1, 1), Level(8, 8))


def measure(bench):
    folder = bench.folder / "ensembles"
    folder.mkdir()
    lines = ["schema_version: 1", "models:"]
    for name in MODELS:
        path = bench.workload(name).path
        lines += [f"  - {{name: {name}-{member}, path: {path}}}" for member in "abc"]
        members = ", ".join(f"{name}-{member}" for member in "abc")
        lines.append(f"  - {{name: {name}-mean, ensemble: {{combine: average, members: [{members}]}}}}")
    (folder / "modelmill.yaml").write_text("\n".join(lines) + "\n")
    server = Process(
        "modelmill",
        [bench.build / "modelmill", "serve", folder / "modelmill.yaml", "--port", 0, "--io-threads", 2],
        folder / "log",
    )
    try:
        rows = [_row(bench, server, folder, name, level) for name in MODELS for level in LEVELS]
    finally:
        server.stop()
    return "## An ensemble of three, against its members asked one by one, over gRPC\n\n" + table(
        ["members", "connections x streams", "a member, CPU us", "the ensemble, CPU us", "ensemble / three members", "target"],
        rows,
    )  # fmt: skip


def _row(bench, server, folder, name, level):
    asked = {
        model: grpc_request(folder, model, model, bench.workload(name).inputs) for model in (f"{name}-a", f"{name}-mean")
    }
    measured = bench.interleaved(
        {model: served(bench, server, request, level) for model, request in asked.items()}
    )
    member, mean = measured[f"{name}-a"], measured[f"{name}-mean"]
    value = median([a.cpu_us / (3 * b.cpu_us) for a, b in zip(mean, member)])
    row = [
        name, str(level), f"{median(map(cpu, member)):.1f}", f"{median(map(cpu, mean)):.1f}", f"**{value:.3f}**",
        verdict(value, TARGET),
    ]  # fmt: skip
    progress("ensembles", row)
    return row
