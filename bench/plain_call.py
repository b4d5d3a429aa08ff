"""One HTTP call to a server on the loopback, on a connection of its own."""

import http.client
import urllib.parse

SECONDS = 120


def call(url, method, path, body=None):
    """(status, body)"""
    place = urllib.parse.urlsplit(url)
    connection = http.client.HTTPConnection(place.hostname, place.port, timeout=SECONDS)
    try:
        connection.request(method, path, body, {"Content-Type": "application/json"})
        reply = connection.getresponse()
        return reply.status, reply.read()
    finally:
        connection.close()
