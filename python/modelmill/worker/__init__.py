"""The process that runs a model's Python code for the server; started by it, see __main__.py."""
