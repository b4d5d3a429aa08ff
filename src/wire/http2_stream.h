#pragma once

#include <nghttp2/nghttp2.h>

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "base/clock.h"
#include "wire/stream_out.h"
#include "wire/wire_counters.h"

namespace modelmill::wire {

class Http2Session;
struct StreamLooks;

/// Window is granted again in steps of at least this, far below the windows' size: small requests need none.
inline constexpr size_t kGrantStep = 64 * 1024;

/// One request and its reply on an HTTP/2 connection: the part that HTTP and gRPC have in common. It keeps itself alive
/// while nghttp2 knows it (from its headers to on_stream_close). Loop's thread only.
class Http2Stream {
 public:
  Http2Stream(Http2Session& session, int32_t id);
  virtual ~Http2Stream();
  Http2Stream(const Http2Stream&) = delete;
  Http2Stream& operator=(const Http2Stream&) = delete;

  virtual Protocol protocol() const = 0;
  /// Some of the body.
  virtual void on_data(std::span<const std::byte> bytes) = 0;
  /// The request is complete.
  virtual void on_end() = 0;
  /// Whether more of the body is due from the client: not between the messages of a call.
  virtual bool awaits_body() const = 0;
  /// It has not come at the least rate: the client is told, and the request ends.
  virtual void on_stalled() = 0;
  /// Whether a body that is still coming when the reply is out may come to its end, unheeded. Else the client is told
  /// to stop, which some clients take for a failure and show no reply.
  virtual bool lets_body_run_out() const { return false; }
  /// The stream has ended, in any way: the last call. session() is null from before it; `self` holds the stream, and
  /// who else does may do so for longer and on other threads.
  virtual void on_closed(uint32_t error_code, const std::shared_ptr<Http2Stream>& self) = 0;

  // For the session.
  void attach(std::shared_ptr<Http2Stream> self) { self_ = std::move(self); }
  /// Ends what attach() began; the caller holds the result until it has done with the stream.
  std::shared_ptr<Http2Stream> detach();
  void received(std::span<const std::byte> bytes);
  void remote_ended();
  /// Called by nghttp2 when it could send `room` bytes: how many are sent, or an error to wait.
  ssize_t next_data(size_t room, uint32_t* flags);
  void move_data(OutQueue& out, size_t n);
  /// A look from time to time: ends what does not move.
  void look(TimePoint now);
  /// A frame that ends the reply is on its way: a request that is not yet complete need not go on.
  void reply_sent();
  Http2Stream* next() const { return next_; }
  size_t unsent() const { return out_.size(); }

 protected:
  Http2Session* session() const { return session_; }
  int32_t id() const { return id_; }
  bool remote_closed() const { return remote_closed_; }
  uint64_t received_bytes() const { return received_; }
  bool head_sent() const { return head_sent_; }
  const std::shared_ptr<Http2Stream>& shared_self() const { return self_; }

  /// Sends headers; `more`: bytes follow. Names and values stay valid until the stream has ended.
  void submit_head(std::span<const nghttp2_nv> fields, bool more);
  /// There are more bytes in out(), or it has ended.
  void wake();
  const StreamOut& out() const { return out_; }
  void add_out(Chunks bytes);
  void add_out_message(Chunks message, bool compressed);
  void drop_out();
  /// No more bytes will follow.
  void end_out() { out_ended_ = true; }
  /// Stops granting the client window, of this stream and of the connection for what this stream brings, or grants
  /// what has been held back.
  void pause(bool paused);
  void reset(uint32_t error_code);

  /// Called when the last byte is on its way: submits trailers and returns true, or there are none.
  virtual bool submit_trailers() { return false; }

 private:
  friend class Http2Session;

  Http2Session* session_;
  const int32_t id_;
  bool remote_closed_ = false;
  bool head_sent_ = false;
  bool waiting_ = false;  // nghttp2 waits for wake()
  bool out_ended_ = false;
  bool paused_ = false;
  size_t unconsumed_ = 0;  // received and not yet granted again
  size_t held_ = 0;        // of it what came while paused: the connection's window is not granted either
  uint64_t received_ = 0;
  uint64_t moved_ = 0;  // from out_ to the connection
  StreamOut out_;
  std::unique_ptr<StreamLooks> looks_;  // once a look has found it waiting
  std::shared_ptr<Http2Stream> self_;
  Http2Stream* previous_ = nullptr;  // of the session's list
  Http2Stream* next_ = nullptr;
};

/// A header whose name and value outlive the stream's frames, so that nghttp2 need not copy them.
inline nghttp2_nv static_field(std::string_view name, std::string_view value) {
  return {reinterpret_cast<uint8_t*>(const_cast<char*>(name.data())),
          reinterpret_cast<uint8_t*>(const_cast<char*>(value.data())), name.size(), value.size(),
          NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE};
}
/// A header that nghttp2 copies.
inline nghttp2_nv copied_field(std::string_view name, std::string_view value) {
  nghttp2_nv field = static_field(name, value);
  field.flags = NGHTTP2_NV_FLAG_NONE;
  return field;
}

}  // namespace modelmill::wire
