"""The logger of MLServer's, whose lines come into the server's log."""

import logging

LoggerName = "mlserver"
logger = logging.getLogger(LoggerName)


def get_logger():
    return logger
