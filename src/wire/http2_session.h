#pragma once

#include <nghttp2/nghttp2.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/chance.h"
#include "wire/client_frames.h"
#include "wire/flood_guard.h"
#include "wire/grpc.h"
#include "wire/http2_head.h"
#include "wire/http2_memory.h"
#include "wire/progress.h"
#include "wire/session.h"
#include "wire/standstill.h"

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
  bool lingers() const override { return !gone_ || failed_; }
  void look(TimePoint now) override;
  void drain() override;
  void peer_gone() override;

  // For the streams.
  nghttp2_session* nghttp2() { return session_; }
  Connection& connection() { return connection_; }
  void link(Http2Stream& stream);
  void unlink(Http2Stream& stream);
  /// Bytes that came on any stream no longer wait in this connection.
  void consumed(size_t n);
  /// Bytes of replies that wait in streams: so many more, so many on their way, so many thrown away.
  void queued(size_t n) { unsent_ += n; }
  void moved(size_t n) {
    unsent_ -= n;
    moved_ += n;
  }
  void dropped(size_t n) { unsent_ -= n; }
  FloodGuard& flood_guard() { return flood_guard_; }

 private:
  static nghttp2_session_callbacks* callbacks();
  void submit_settings();
  void begin_stream(int32_t id, Http2Head& head);
  std::string_view limit_met() const;
  const GrpcMethod* method(std::string_view path);
  void end_drain();

  void begin_head();
  int on_header(const nghttp2_frame& frame, nghttp2_rcbuf* name, nghttp2_rcbuf* value);
  std::shared_ptr<Http2Stream> close_stream(Http2Stream& stream, uint32_t error_code);
  int on_frame(const nghttp2_frame& frame);
  int on_invalid_frame(int error);
  void on_stream_closed(int32_t id, uint32_t error_code);
  void on_sent(const nghttp2_frame& frame);
  Http2Stream* stream(int32_t id);
  /// Counts frames that carry no work; what is not zero ends the connection.
  int spend(uint32_t frames);
  /// Ends the connection at once: GOAWAY, and all requests are abandoned.
  void fail(uint32_t error_code);
  void abandon_streams();
  void rest();
  /// Holds the connection to its age. True when it has been ended.
  bool grow_old(TimePoint now);

  Connection& connection_;
  Http2Memory memory_;
  nghttp2_session* session_ = nullptr;
  ClientFrames client_frames_;
  std::unique_ptr<Http2Head> head_;  // while a header block arrives; HTTP/2 lets only one do so at a time
  bool settings_seen_ = false;
  std::string_view head_limit_;     // that it has met
  uint64_t heads_ = 0;              // begun so far
  uint64_t quiet_ = 0;              // heads_ when a look last found no stream
  bool rested_ = false;             // since then
  Http2Stream* streams_ = nullptr;  // a list of all that are open
  std::shared_ptr<const std::string>
      last_path_;  // the method called last, since clients call one method again and again
  const GrpcMethod* last_method_ = nullptr;
  Http2Stream* recent_ = nullptr;  // the stream that was asked for last, mostly also the next
  int32_t recent_id_ = 0;
  size_t unconsumed_ = 0;  // not yet told to nghttp2
  size_t unsent_ = 0;      // bytes of replies in streams
  uint64_t moved_ = 0;     // bytes of replies that have left streams
  FloodGuard flood_guard_;
  std::vector<std::weak_ptr<Http2Stream>> undone_;  // reset by the client, and still worked on by someone
  Progress sending_;
  Standstill still_;
  Standstill alive_;                              // in one state, that of having been told to go or not
  const double lifetime_ = 0.9 + 0.2 * chance();  // of the age; else clients that came together would leave together
  OutQueue* producing_ = nullptr;                 // where send_data puts bytes
  std::unique_ptr<Loop::Timer> drain_timer_;
  bool draining_ = false;
  bool aged_ = false;  // it drains for its age
  bool gone_ = false;
  bool failed_ = false;
  bool flooded_ = false;
};

std::unique_ptr<Session> make_http2_session(Connection& connection);

}  // namespace modelmill::wire
