"""Where the programs of the conformance tests are; `make conformance` puts them there."""

import servers

GO_TOOLS = servers.ROOT / "build/go"


def interop_program(name):
    return servers.build_dir() / "tests/conformance" / name
