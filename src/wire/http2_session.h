#pragma once

#include <nghttp2/nghttp2.h>

#include <memory>
#include <string>

#include "wire/grpc.h"
#include "wire/http2_head.h"
#include "wire/session.h"

namespace modelmill::wire {

class Connection;
class Http2Stream;

/// HTTP/2 by nghttp2: frames and flow control are its business, requests go to Http2Exchange or GrpcStream.
class Http2Session final : public Session {
 public:
  explicit Http2Session(Connection& connection);
  ~Http2Session() override;

  void receive(std::span<const std::byte> bytes) override;
  void produce(OutQueue& out) override;
  bool finished() const override;
  bool lingers() const override { return !gone_; }
  void drain() override;
  void peer_gone() override;

  // For the streams.
  nghttp2_session* nghttp2() { return session_; }
  Connection& connection() { return connection_; }
  void link(Http2Stream& stream);
  void unlink(Http2Stream& stream);
  /// Bytes that came on any stream no longer wait in this connection.
  void consumed(size_t n);

 private:
  static nghttp2_session_callbacks* callbacks();
  static nghttp2_option* options();
  void submit_settings();
  void begin_stream(int32_t id);
  const GrpcMethodFactory* method(std::string_view path);
  void end_drain();

  int on_frame(const nghttp2_frame& frame);
  void on_sent(const nghttp2_frame& frame);
  Http2Stream* stream(int32_t id);

  Connection& connection_;
  nghttp2_session* session_ = nullptr;
  Http2Head head_;  // of the request whose header block is arriving; HTTP/2 lets only one do so at a time
  bool head_too_large_ = false;
  Http2Stream* streams_ = nullptr;  // a list of all that are open
  std::shared_ptr<const std::string>
      last_path_;  // the method called last, since clients call one method again and again
  const GrpcMethodFactory* last_method_ = nullptr;
  Http2Stream* recent_ = nullptr;  // the stream that was asked for last, mostly also the next
  int32_t recent_id_ = 0;
  size_t unconsumed_ = 0;          // not yet told to nghttp2
  OutQueue* producing_ = nullptr;  // where send_data puts bytes
  std::unique_ptr<Loop::Timer> drain_timer_;
  bool draining_ = false;
  bool gone_ = false;
  bool failed_ = false;
};

std::unique_ptr<Session> make_http2_session(Connection& connection);

}  // namespace modelmill::wire
