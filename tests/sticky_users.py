"""Users of a route whose shares grow: each asks once at each share, over one connection, some hundred requests ahead of
their answers."""

import json
import math
import re

SHARES = (5, 50, 100)  # of the new version, one after the other
_AHEAD = 200
_BODY = b'{"x": [1, 2, 3, 4]}'
_HEAD = re.compile(rb"HTTP/1\.1 (\d+) ")
_FIELDS = {
    "arm": re.compile(rb"\r\nx-route-arm: ([^\r]+)\r\n", re.IGNORECASE),
    "version": re.compile(rb"\r\nx-served-version: ([^\r]+)\r\n", re.IGNORECASE),
    "length": re.compile(rb"\r\ncontent-length: (\d+)\r\n", re.IGNORECASE),
}


def _request(route, user):
    head = f"POST /predict/{route} HTTP/1.1\r\nHost: test\r\nContent-Type: application/json\r\nx-user-id: {user}\r\n"
    return head.encode() + b"Content-Length: %d\r\n\r\n" % len(_BODY) + _BODY


def _answers(connection, count):
    """(version that the headers name, that which computed) of so many answers in a row."""
    text, at = bytearray(), 0
    while count > 0:
        end = text.find(b"\r\n\r\n", at)
        head = bytes(text[at : end + 2]) if end >= 0 else b""
        found = {name: field.search(head) for name, field in _FIELDS.items()}
        size = end + 4 + int(found["length"].group(1)) if end >= 0 else None
        if size is None or len(text) < size:
            more = connection.recv(1 << 20)
            assert more, "the server has closed the connection"
            text += more
            continue
        body = bytes(text[end + 4 : size])
        assert _HEAD.match(head).group(1) == b"200", (head, body)
        arm, version = found["arm"].group(1).decode(), found["version"].group(1).decode()
        assert arm == f"m@{version}", head
        yield int(version), int(json.loads(body)["y"][0])
        at = size
        count -= 1


def versions(server, route, users):
    """Which version served each user, by what its answer says and by what it is."""
    out = {}
    with server.connect(timeout=60) as connection:
        for begin in range(0, len(users), _AHEAD):
            some = users[begin : begin + _AHEAD]
            connection.sendall(b"".join(_request(route, user) for user in some))
            for user, (version, factor) in zip(some, _answers(connection, len(some)), strict=True):
                assert version == factor, user
                out[user] = version
    return out


def check_nobody_leaves(server, users):
    """Version 2 of `m` takes 5%, half, and all of the route's users from version 1: nobody who has come to it leaves."""
    names = [f"user-{i}" for i in range(users)]
    arrived = set()
    for share in SHARES:
        split = {"m@1": 100 - share, "m@2": share}
        route = {"split": split, "sticky": "header:x-user-id"}
        assert server.request("PUT", "/admin/routes/sticky", json.dumps(route).encode())[0] == 200
        served = versions(server, "sticky", names)
        now = {user for user, version in served.items() if version == 2}
        assert len(served) == users and arrived <= now, sorted(arrived - now)[:10]
        # As many as the share says, but for six standard deviations.
        assert abs(len(now) - users * share / 100) <= 6 * math.sqrt(users * share * (100 - share)) / 100, len(now)
        arrived = now
    assert len(arrived) == users
    # And back: who has come last goes first.
    for share in reversed(SHARES[:-1]):
        route = {"split": {"m@1": 100 - share, "m@2": share}, "sticky": "header:x-user-id"}
        assert server.request("PUT", "/admin/routes/sticky", json.dumps(route).encode())[0] == 200
        now = {user for user, version in versions(server, "sticky", names[: users // 10]).items() if version == 2}
        assert now <= arrived
        arrived = now
