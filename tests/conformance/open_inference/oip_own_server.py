"""The server that is judged when none is named: ours, with models that give back what they get."""

import contextlib
import dataclasses

import models
import repositories
import servers


@contextlib.contextmanager
def serving(folder, options):
    """The options with the address of a server that runs meanwhile, and its models."""
    repository, echoes = folder / "models", []
    for dtype in models.DTYPES:
        if dtype != "BF16":
            echoes.append(f"echo_{dtype.lower()}")
            repositories.add(repository, echoes[-1], models.identity(dtype))
    repositories.add(repository, "add_sub", models.add_sub())
    repositories.add(repository, "scalars", models.scalars())
    repositories.add(repository, "strings", models.string_concat())
    repositories.add(repository, "versions", models.scaled, repositories.VERSIONS_CONFIG, versions=(1, 3))
    with servers.serving(folder, repository) as server:
        yield dataclasses.replace(options, url=server.url, grpc_url=server.address, echoes=tuple(echoes))
