"""Constants, and what requests carry beside their tensors."""

TRITONSERVER_RESPONSE_COMPLETE_FINAL = 1
TRITONSERVER_REQUEST_FLAG_SEQUENCE_START = 1
TRITONSERVER_REQUEST_FLAG_SEQUENCE_END = 2
TRITONSERVER_MEMORY_CPU = 0
TRITONSERVER_MEMORY_CPU_PINNED = 1
TRITONSERVER_MEMORY_GPU = 2


class PreferredMemory:
    """Where the outputs of a call should be. Tensors between models are in the CPU's memory whatever it says."""

    def __init__(self, preferred_memory_type, preferred_device_id=0):
        self.memory_type, self.device_id = preferred_memory_type, preferred_device_id


class InferenceTrace:
    """A request's trace, to be handed on to calls of other models."""

    def __init__(self, context=None):
        self._context = context

    def get_context(self):
        return self._context
