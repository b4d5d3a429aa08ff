"""A worker's process: `python .../modelmill/worker/__main__.py`, started by the server's plugin modelmill_python.so.

Descriptor 3 is the socket of executions, 4 that of everything else. Only this package is taken from the folder that it
lies in, so that any Python can run it.
"""

import ctypes
import os
import signal
import sys

DATA, CONTROL = 3, 4
_PR_SET_PDEATHSIG = 1


def import_package():
    """Makes this folder's package `modelmill`, whatever else is installed."""
    import importlib.util

    package = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    sys.path[:] = [path for path in sys.path if os.path.abspath(path) != os.path.join(package, "worker")]
    spec = importlib.util.spec_from_file_location(
        "modelmill", os.path.join(package, "__init__.py"), submodule_search_locations=[package]
    )
    sys.modules["modelmill"] = module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)


def die_with_the_server(parent):
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def main():
    import_package()
    from modelmill.errors import Error
    from modelmill.worker import flavours, serving, session
    from modelmill.worker.link import Link

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the server's business
    control = session.start(Link(CONTROL))
    data = control.data = Link(DATA)
    control.receive_hello()
    die_with_the_server(control.hello["parent"])
    data.limit_memory(control.hello["memory_limit"])
    try:
        flavour = flavours.find(control.hello)
        kind = flavour.kind or (serving.ManyAtOnce if flavour.concurrent else serving.OneByOne)
        running = kind(data, flavour).run()
        next(running)
        description = flavour.describe()
    except Error as error:
        control.failed(str(error))
        return 1
    except BaseException as error:
        serving.log.error("%s", serving.traceback_text(error))
        control.failed(serving.error_text(error))
        return 1
    control.ready(description)
    next(running, None)
    return 0


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # without waiting for threads of the model's code
