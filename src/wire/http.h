#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "runtime/trace_context.h"
#include "tensor/tensor.h"
#include "wire/endpoint.h"
#include "wire/loop.h"

namespace modelmill::wire {

/// A complete HTTP request, of either version. Header names are lower case.
struct HttpRequest {
  std::string method;                                        // "GET", "POST", ...
  std::string path;                                          // "/v2/models/x", percent-decoding is left to who needs it
  std::string query;                                         // after '?', or empty
  std::vector<std::pair<std::string, std::string>> headers;  // in the order they came
  Bytes body;                                                // one piece; its tensors (http_text.h) 64-byte aligned
  std::string peer;                                          // "127.0.0.1:4711"
  bool http2 = false;
  bool tls = false;
  Services serves;  // of the endpoint that it came to
  TraceContext trace;
  /// Added to the reply, whoever makes it: for what belongs to the request rather than to its answer (its id, say).
  std::vector<std::pair<std::string, std::string>> reply_headers;
  /// The names of `headers` in the case they came in; empty unless the server was told to keep them, and of HTTP/2.
  std::vector<std::string> sent_names;

  /// The first header of that (lower-case) name; empty when there is none.
  std::string_view header(std::string_view name) const;
};

struct HttpReply {
  int status = 200;
  std::vector<std::pair<std::string, std::string>> headers;  // names in any case; content-length is added by the wire
  Chunks body;                                               // sent without copying

  static HttpReply text(int status, std::string_view content_type, std::string body);
};

/// One request and its reply. Lives while either side needs it: the handler may keep the shared pointer while a model
/// works. All members are for the loop's thread; reach it with loop().post().
class HttpExchange {
 public:
  virtual ~HttpExchange() = default;
  virtual HttpRequest& request() = 0;
  virtual Loop& loop() = 0;

  /// Sends the whole reply. Once, and not after begin().
  virtual void reply(HttpReply reply) = 0;

  /// A reply in pieces (server-sent events, streams of records): headers now, then write() any number of times, then
  /// end(). HTTP/1.1 uses chunked coding.
  virtual void begin(HttpReply head) = 0;
  virtual void write(Chunks piece) = 0;
  virtual void end() = 0;

  /// Bytes of the reply so far that the client has not yet taken; what is streamed should wait while this is large.
  virtual size_t unsent_bytes() const { return 0; }

  /// Called once if the client goes away before the reply is complete; then reply() and write() do nothing.
  virtual void on_abandoned(std::function<void()> callback) = 0;
};

/// Told of a request that the wire has answered by itself, with that status and a body of so many bytes: one that is
/// over a limit, or no HTTP, of which there may be little to see. On the loop's thread.
using RefusalLog = std::function<void(const HttpRequest& request, int status, uint64_t bytes)>;

using HttpHandler = std::function<void(std::shared_ptr<HttpExchange>)>;

}  // namespace modelmill::wire
