#pragma once

#include <nghttp2/nghttp2.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace bench {

using Clock = std::chrono::steady_clock;

/// What every call sends: the same bytes to the same path. Outlives the connections.
struct CallTemplate {
  std::string authority;
  std::string path;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
  std::chrono::microseconds deadline{0};  // from the intended arrival; 0: none
};

/// One call, and what came of it.
struct Call {
  Clock::time_point intended;  // when it had to be sent
  int http_status = 0;
  int grpc_status = -1;     // -1: the stream ended without one
  size_t answer_bytes = 0;  // of the body
  size_t packed = 0;        // bytes of its body that nghttp2 has made frames of
  size_t queued = 0;        // ... and that stand in the connection's queue
};

/// An HTTP/2 connection with prior knowledge that makes unary gRPC calls, as many at once as the server lets it. Bodies
/// are never copied: what costs the load generator time is missing to the server on the same machine. For one thread.
class CallConnection {
 public:
  /// Called for each call that has ended, from within receive().
  using Ended = std::function<void(const Call&)>;

  /// Connects to `port` of 127.0.0.1; exits with a message when it cannot.
  CallConnection(uint16_t port, const CallTemplate& what, Ended ended);
  ~CallConnection();
  CallConnection(const CallConnection&) = delete;
  CallConnection& operator=(const CallConnection&) = delete;

  int fd() const { return fd_; }
  /// Begins a call; it is sent by the next flush().
  void start(Clock::time_point intended, Clock::time_point now);
  /// Takes what has come. False: the server has closed the connection.
  bool receive();
  /// Sends what can be sent. False: the connection is broken.
  bool flush();
  /// Something could not be sent yet.
  bool blocked() const { return !pieces_.empty(); }

 private:
  struct Piece {
    const char* body;  // null: a part of small_
    size_t begin;
    size_t size;
  };

  static ssize_t send_small(nghttp2_session*, const uint8_t* data, size_t size, int, void* self);
  static int send_body(nghttp2_session*, nghttp2_frame*, const uint8_t* head, size_t size, nghttp2_data_source*,
                       void* self);
  static ssize_t pack_body(nghttp2_session*, int32_t, uint8_t*, size_t size, uint32_t* flags,
                           nghttp2_data_source* source, void* self);
  static int on_header(nghttp2_session*, const nghttp2_frame*, const uint8_t* name, size_t name_size,
                       const uint8_t* value, size_t value_size, uint8_t, void* self);
  static int on_data(nghttp2_session*, uint8_t, int32_t stream, const uint8_t*, size_t size, void* self);
  static int on_close(nghttp2_session*, int32_t stream, uint32_t, void* self);

  void make_session();
  void append_small(const uint8_t* data, size_t size);
  bool write_pieces();
  Call* call_of(int32_t stream) const;

  const CallTemplate& what_;
  const Ended ended_;
  int fd_ = -1;
  nghttp2_session* session_ = nullptr;
  std::vector<nghttp2_nv> headers_;
  std::deque<Call> calls_;  // all there ever were at once; their addresses are the streams' user data
  std::vector<Call*> free_;
  std::string small_;  // heads of frames, and whole small ones, that wait to be sent
  std::deque<Piece> pieces_;
  size_t queued_bytes_ = 0;
};

}  // namespace bench
