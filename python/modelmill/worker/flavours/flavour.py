"""How a worker runs the model of a file."""


class Flavour:
    """What runs a model in a worker. `serving` is the loop that runs it: see modelmill.worker.serving."""

    concurrent = False
    """Whether it runs many executions at once, by coroutines."""
    kind = None
    """The class of the loop that runs it, where it is not the usual one."""

    def describe(self):
        """The JSON of READY: inputs, outputs, what it can."""
        raise NotImplementedError

    def make(self):
        """Makes the model, before start()."""

    def start(self):
        """What is to be awaited before it serves."""
        return []

    def stop(self):
        """What is to be awaited after it has served."""
        return []

    def execute(self, batch, serving):
        """Answers every request of a Batch; of a concurrent flavour an awaitable."""
        raise NotImplementedError
