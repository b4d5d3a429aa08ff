"""A collector of OpenTelemetry's spans, by OTLP over HTTP, that reads them with OpenTelemetry's own messages."""

import http.server
import threading

from opentelemetry.proto.collector.trace.v1 import trace_service_pb2
from opentelemetry.proto.trace.v1 import trace_pb2

KINDS = trace_pb2.Span.SpanKind


def plain(value):
    """An AnyValue as Python has it."""
    return getattr(value, value.WhichOneof("value"))


def attributes(span):
    return {attribute.key: plain(attribute.value) for attribute in span.attributes}


class Collector:
    """`answers` gives the reply to each POST by its number: a status, or (status, body, headers). A request whose answer
    is None is never answered."""

    def __init__(self, answers=lambda number: 200, tls=None):
        self.answers, self.lock = answers, threading.Lock()
        self.requests = []  # (path, headers, message)
        self.over = threading.Event()
        collector = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                message = trace_service_pb2.ExportTraceServiceRequest.FromString(body)
                with collector.lock:
                    collector.requests.append((self.path, dict(self.headers.items()), message))
                    number = len(collector.requests)
                answer = collector.answers(number)
                if answer is None:
                    collector.over.wait()
                    self.close_connection = True
                    return
                if isinstance(answer, bytes):  # what is no HTTP
                    self.wfile.write(answer)
                    self.close_connection = True
                    return
                status, reply, headers = answer if isinstance(answer, tuple) else (answer, b"", {})
                self.send_response(status)
                for name, value in {"Content-Length": len(reply), **headers}.items():
                    self.send_header(name, str(value))
                self.end_headers()
                self.wfile.write(reply)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        if tls:
            self.server.socket = tls.wrap_socket(self.server.socket, server_side=True)
        self.port = self.server.server_address[1]
        self.url = f"{'https://localhost' if tls else 'http://127.0.0.1'}:{self.port}"
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()

    def close(self):
        self.over.set()
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def messages(self):
        with self.lock:
            return [message for _, _, message in self.requests]

    def spans(self):
        return [
            span
            for message in self.messages()
            for resource in message.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]

    def resource(self):
        """Of the first message."""
        return attributes(self.messages()[0].resource_spans[0].resource)

    def traces(self):
        """{trace id: {span id: span}}"""
        found = {}
        for span in self.spans():
            found.setdefault(span.trace_id.hex(), {})[span.span_id.hex()] = span
        return found


def tree(spans):
    """What is below each root, as (name, [children]), of the spans of one trace; children by name."""
    ids = {span.span_id for span in spans}

    def below(parent):
        children = [span for span in spans if span.parent_span_id == parent]
        return sorted((span.name, below(span.span_id)) for span in children)

    roots = [span for span in spans if span.parent_span_id not in ids]
    return sorted((span.name, below(span.span_id)) for span in roots)
