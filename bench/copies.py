"""How often a tensor's bytes are copied in the server, beyond the kernel's copies: counted, not timed."""

from processes import Process, environment

FEW, MANY = 8, 40


def copied_for_each_byte(bench, request, tensor_bytes, level):
    """Bytes copied by memcpy and memmove for each byte of the tensor, there and back."""
    import load

    answer = {}
    for count in (FEW, MANY):
        total = bench.folder / "copied"
        server = Process(
            "modelmill",
            [bench.build / "modelmill", "serve", bench.folder / "models/identity", "--port", 0, "--io-threads", 2],
            bench.folder / "copies.log",
            env={
                **environment(),
                "LD_PRELOAD": str(bench.build / "bench/copy_counter.so"),
                "COPY_COUNT": str(total),
            },
        )
        try:
            load.run(server, request, level, count)
        finally:
            server.stop()
        answer[count] = int(total.read_text())
    return (answer[MANY] - answer[FEW]) / (MANY - FEW) / tensor_bytes
