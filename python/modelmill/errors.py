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
