"""What a model's code raises to answer with an error of its choice."""


class Error(Exception):
    """The answer to a request is this message, with one of gRPC's codes by its name.

        raise modelmill.Error("the text is empty", code="INVALID_ARGUMENT")

    Other exceptions are answered as INTERNAL, with their type and message, and written to the log with their traceback.
    Calls of other models raise it too.
    """

    def __init__(self, message, code="INVALID_ARGUMENT"):
        super().__init__(message)
        self.code = code


class Errors:
    """What a function with batch=N returns when some rows have failed: the results, in which those rows count for nothing,
    and {row: the error}. Only the requests that have one of those rows fail.

        return modelmill.Errors(scores, {3: modelmill.Error("row 3 has no text")})

    Where results are lists, an error can stand in a row's place instead.
    """

    def __init__(self, results, errors):
        self.results, self.errors = results, dict(errors)
