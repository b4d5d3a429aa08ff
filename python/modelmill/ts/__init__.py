"""What handlers written for TorchServe import: the same names, over modelmill's workers.

It is here for models out of .mar archives only, and before a torchserve that is installed: handlers speak to the server
through it. Modules that it lacks are taken from the installed one.
"""

import pkgutil

__path__ = pkgutil.extend_path(__path__, __name__)
__version__ = "0.12.0"
