"""Modelmill under another server's command line: its flags, as the tables in the docs have them, and its ports."""

import re
import urllib.error
import urllib.request

import servers

DOCS = servers.ROOT / "docs"
ROW = re.compile(r"^\| `--([\w-]+)(?:=([^`]*))?` \| (same|mapped|ignored) \| (.*) \|$", re.MULTILINE)


def flags_of(name):
    """(flag, example or None, how it is taken) of every row of a table."""
    rows = ROW.findall((DOCS / name).read_text())
    return [(flag, value.replace("\\|", "|") or None, taken) for flag, value, taken, _ in rows]


def run_as(name, *arguments, env=None, **options):
    return servers.run_cli("--as", name, *arguments, env=env, **options)


def status(url, path, method="GET", headers=None, body=None):
    request = urllib.request.Request(url + path, data=body, method=method, headers=headers or {})
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=60) as reply:
            return reply.status, reply.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def ignored_in(log):
    """The flags, with their dashes, that a log says are ignored."""
    return re.findall(r"a flag of \w+ is ignored.*?flag=\"?(--[\w-]+)", log)
