"""`python -m modelmill` is `modelmill`."""

from modelmill.launcher import main

main()
