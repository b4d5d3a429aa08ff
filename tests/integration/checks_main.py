"""The frame of the programs that ask a server with a client that has a Python of its own (build/venvs/clients).

Each `check_NAME` of a program is one check; `run(globals())` prints {NAME: "" or what went wrong} as JSON.
"""

import json
import traceback


def run(program):
    results = {}
    for name, check in program.items():
        if name.startswith("check_"):
            try:
                check()
                results[name.removeprefix("check_")] = ""
            except Exception:
                results[name.removeprefix("check_")] = traceback.format_exc()
    print(json.dumps(results))
