"""modelmill: a model server in one binary. The package is its launcher; see `modelmill --help`."""
