"""What the suite is told about the server that it judges."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Options:
    url: str  # without a slash at its end; "": one of ours is started
    grpc_url: str
    models: tuple
    echoes: tuple
    size: int
    headers: dict


def add_to(parser):
    """Adds the options to pytest's, once."""
    group = parser.getgroup("Open Inference Protocol")
    try:
        group.addoption("--url", default="", help="the server that is judged, such as http://host:8000; else one of ours is started")
    except ValueError:
        return  # a conftest above has added them
    group.addoption("--grpc-url", default="", help="where it speaks gRPC, such as host:8001")
    group.addoption("--model", action="append", default=[], help="a model that is asked; by default all that the server lists")
    group.addoption(
        "--echo", action="append", default=[],
        help="a model that gives back its inputs, in order and type and shape: then values are compared too",
    )  # fmt: skip
    group.addoption("--size", type=int, default=2, help="what dimensions are that a model leaves open (2)")
    group.addoption("--header", action="append", default=[], help="a header of every request, such as 'Authorization: Bearer x'")


def of(config):
    headers = (one.partition(":") for one in config.getoption("--header"))
    return Options(
        url=config.getoption("--url").rstrip("/"),
        grpc_url=config.getoption("--grpc-url").removeprefix("grpc://"),
        models=tuple(config.getoption("--model")),
        echoes=tuple(config.getoption("--echo")),
        size=config.getoption("--size"),
        headers={name.strip(): value.strip() for name, _, value in headers},
    )
