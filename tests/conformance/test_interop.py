"""gRPC's own interoperability client, the one of grpc-go, against our wire. Its cases by their published names."""

import subprocess

import pytest

from programs import GO_TOOLS

CASES = [
    "empty_unary",
    "large_unary",
    "client_streaming",
    "server_streaming",
    "ping_pong",
    "empty_stream",
    "cancel_after_begin",
    "cancel_after_first_response",
    "timeout_on_sleeping_server",
    "status_code_and_message",
    "special_status_message",
    "unimplemented_method",
    "unimplemented_service",
    "custom_metadata",
]


def run_client(port, case):
    return subprocess.run(
        [GO_TOOLS / "interop_client", "-server_host=127.0.0.1", f"-server_port={port}", f"-test_case={case}"],
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.mark.conformance("gRPC interop")
@pytest.mark.parametrize("case", CASES)
def test_case(interop_port, case):
    result = run_client(interop_port, case)
    assert result.returncode == 0, result.stdout + result.stderr


def test_the_client_can_fail(served):
    """Against a server without the service, so that a client that never complains would be noticed."""
    assert run_client(served.port, "empty_unary").returncode != 0
