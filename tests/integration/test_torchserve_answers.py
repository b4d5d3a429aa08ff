"""The texts of what handlers of TorchServe's return: those of Python's own JSON writer with an indent of two."""

import json
import subprocess

import servers
from torchserve_archives import VENV

SCRIPT = r"""
import collections, json, sys
sys.path.insert(0, sys.argv[1])
import numpy as np
from modelmill.errors import Error
from modelmill.worker.flavours import torchserve_rows as rows

Pair = collections.namedtuple("Pair", "a b")
plain = lambda value: value.tolist()
values = [
    1, 2.5, None, True, [], {}, [[]], [{}], [1, [2, []], {"a": ()}], {"p": [0.1, 1e-20, 3], "q": {"r": "s"}},
    ["a\\nb", '"', "größe", float("inf"), float("nan")], (1, (2, 3)), {1: [1], None: 2, True: 3, 2.5: [[4]]},
    Pair(1, [2, {"c": [3]}]), collections.OrderedDict(a=[1, {"b": 2}]), [Pair(1, 2), [Pair(3, 4)]],
    np.arange(6, dtype=np.float32).reshape(2, 3), {"a": np.float32(0.1), "b": [np.int64(7), np.array(3)]}, np.zeros((2, 0)),
]
differing = [repr(value) for value in values if rows.encode(value) != (
    json.dumps(value, indent=2, default=plain).encode(), "application/json")]
refused = []
around = []
around.append(around)
for value in (object(), [1, {"a": {1, 2}}], {(1, 2): 3}, around):
    try:
        rows.encode(value)
    except Error as error:
        refused.append(str(error))
print(json.dumps([differing, refused]))
"""


def test_they_are_as_the_library_writes_them():
    command = [VENV / "bin/python", "-c", SCRIPT, servers.ROOT / "python"]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert result.returncode == 0, result.stderr
    differing, refused = json.loads(result.stdout)
    assert differing == []
    assert len(refused) == 4 and all("can't be sent" in text for text in refused), refused
