"""Constants, and what requests carry beside their tensors."""

import enum
import json

from .errors import TritonModelException

TRITONSERVER_RESPONSE_COMPLETE_FINAL = 1
TRITONSERVER_REQUEST_FLAG_SEQUENCE_START = 1
TRITONSERVER_REQUEST_FLAG_SEQUENCE_END = 2
TRITONSERVER_REQUEST_RELEASE_ALL = 1
TRITONSERVER_REQUEST_RELEASE_RESCHEDULE = 2


class MemoryType(enum.IntEnum):
    TRITONSERVER_MEMORY_CPU = 0
    TRITONSERVER_MEMORY_CPU_PINNED = 1
    TRITONSERVER_MEMORY_GPU = 2


TRITONSERVER_MEMORY_CPU = MemoryType.TRITONSERVER_MEMORY_CPU
TRITONSERVER_MEMORY_CPU_PINNED = MemoryType.TRITONSERVER_MEMORY_CPU_PINNED
TRITONSERVER_MEMORY_GPU = MemoryType.TRITONSERVER_MEMORY_GPU


def whole(**numbers):
    """What an InferenceRequest is given as numbers."""
    for name, value in numbers.items():
        if not isinstance(value, int) or not 0 <= value < 2**64:
            raise TritonModelException(f"the {name} of an InferenceRequest is a whole number from 0 on, not {value!r}")


class PreferredMemory:
    """Where the outputs of a call should be. Tensors between models are in the CPU's memory whatever it says."""

    def __init__(self, preferred_memory_type, preferred_device_id=0):
        self.memory_type, self.device_id = preferred_memory_type, preferred_device_id


class InferenceTrace:
    """A request's place in its client's trace, to be handed on to calls of other models."""

    def __init__(self, context=None):
        self._context = context

    @classmethod
    def _of(cls, traceparent):
        return cls(json.dumps({"traceparent": traceparent}) if traceparent else None)

    def _traceparent(self):
        return json.loads(self._context).get("traceparent", "") if self._context else ""

    def get_context(self):
        """As JSON, with W3C's traceparent; None for a request that is in no trace."""
        return self._context
