#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "wire/body_buffer.h"
#include "wire/http.h"

namespace modelmill::wire {

/// Parses one HTTP/1 request after another, by Boost.Beast, out of the caller's buffer: unused bytes must be given
/// again together with what follows them. Bodies of a known length are the caller's to read.
class Http1Parser {
 public:
  struct Bounds {
    size_t header_bytes;  // of the head of a request
    size_t header_count;
    uint64_t body_bytes;      // of a chunked body
    bool sent_names = false;  // those of headers are wanted as they came
  };
  explicit Http1Parser(const Bounds& bounds);
  ~Http1Parser();

  struct Outcome {
    size_t used = 0;
    bool done = false;       // the head, or the body, is complete
    int error_status = 0;    // an HTTP status; then the connection can't go on
    std::string_view limit;  // the one that was met, if any: "header", "headers" or "body"
    std::string error;
    bool other_protocol = false;  // it names one that is not HTTP, so an answer in HTTP would be no use
  };
  /// Parses a head into `request`.
  Outcome parse_head(std::string_view bytes, HttpRequest& request);
  /// After a head with chunked(): parses the body into `body`.
  Outcome parse_chunks(std::string_view bytes, BodyBuffer& body);
  /// Makes ready for the next request.
  void reset();

  // After the head.
  bool chunked() const;
  uint64_t content_length() const;  // 0 when there is none
  bool keep_alive() const;
  bool http_1_0() const;
  bool expects_continue() const;

 private:
  struct Rep;
  std::unique_ptr<Rep> rep_;
};

}  // namespace modelmill::wire
