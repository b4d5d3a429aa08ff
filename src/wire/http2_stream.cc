#include "wire/http2_stream.h"

#include <algorithm>
#include <utility>

#include "wire/connection.h"
#include "wire/http2_session.h"
#include "wire/progress.h"

namespace modelmill::wire {

namespace {

/// A frame of so few bytes, when there are more and no room for them, is a client's that grants window in crumbs.
constexpr size_t kDribble = 256;
/// Of a client's allowance of frames without work (see FloodGuard): what it earns by taking a frame and a reply.
constexpr uint32_t kEarnedByData = 2;
constexpr uint32_t kEarnedByReply = 4;

}  // namespace

/// What looks remember of a stream that waits for its client.
struct StreamLooks {
  Progress body;
  Progress reply;
};

Http2Stream::Http2Stream(Http2Session& session, int32_t id) : session_(&session), id_(id) { session.link(*this); }

Http2Stream::~Http2Stream() {
  if (session_ != nullptr) session_->unlink(*this);
}

std::shared_ptr<Http2Stream> Http2Stream::detach() {
  if (session_ != nullptr) {
    drop_out();
    session_->consumed(std::exchange(held_, 0));
    session_->unlink(*this);
  }
  session_ = nullptr;
  return std::move(self_);
}

void Http2Stream::received(std::span<const std::byte> bytes) {
  if (paused_)
    held_ += bytes.size();
  else
    session_->consumed(bytes.size());
  unconsumed_ += bytes.size();
  received_ += bytes.size();
  on_data(bytes);
  if (!paused_ && session_ != nullptr && unconsumed_ >= kGrantStep)
    nghttp2_session_consume_stream(session_->nghttp2(), id_, std::exchange(unconsumed_, 0));
}

void Http2Stream::remote_ended() {
  remote_closed_ = true;
  on_end();
}

void Http2Stream::pause(bool paused) {
  paused_ = paused;
  if (paused || unconsumed_ == 0 || session_ == nullptr) return;
  session_->consumed(std::exchange(held_, 0));
  nghttp2_session_consume_stream(session_->nghttp2(), id_, std::exchange(unconsumed_, 0));
  session_->connection().want_flush();
}

ssize_t Http2Stream::next_data(size_t room, uint32_t* flags) {
  const size_t n = std::min(room, out_.size());
  if (n == 0 && !out_ended_) {
    waiting_ = true;
    return NGHTTP2_ERR_DEFERRED;
  }
  *flags |= NGHTTP2_DATA_FLAG_NO_COPY;
  if (n < room || n >= kDribble) session_->flood_guard().earn(kEarnedByData);
  if (n == out_.size() && out_ended_) {
    *flags |= NGHTTP2_DATA_FLAG_EOF;
    if (submit_trailers()) *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
  }
  return static_cast<ssize_t>(n);
}

void Http2Stream::move_data(OutQueue& out, size_t n) {
  out_.move_to(out, n);
  moved_ += n;
  session_->moved(n);
}

void Http2Stream::add_out(Chunks bytes) {
  const size_t before = out_.size();
  out_.append(std::move(bytes));
  session_->queued(out_.size() - before);
}

void Http2Stream::add_out_message(Chunks message, bool compressed) {
  const size_t before = out_.size();
  out_.append_message(std::move(message), compressed);
  session_->queued(out_.size() - before);
}

void Http2Stream::drop_out() {
  session_->dropped(out_.size());
  out_.clear();
}

/// Only what the client alone holds up counts against it: a body for which it has window, a reply for which it gives
/// none. (A reply that waits for the connection is the connection's business.)
void Http2Stream::look(TimePoint now) {
  nghttp2_session* nghttp2 = session_->nghttp2();
  const Limits& limits = session_->connection().core().limits;
  const bool body = awaits_body() && nghttp2_session_get_local_window_size(nghttp2) > 0 &&
                    nghttp2_session_get_stream_local_window_size(nghttp2, id_) > 0;
  const bool reply = out_.size() > 0 && nghttp2_session_get_stream_remote_window_size(nghttp2, id_) <= 0 &&
                     nghttp2_session_get_remote_window_size(nghttp2) > 0;
  if (!looks_) {
    if (!body && !reply) return;
    looks_ = std::make_unique<StreamLooks>();
  }
  const auto least = least_bytes(limits);
  if (looks_->body.stalled(now, body, received_, limits.stall_timeout, least)) return on_stalled();
  if (!looks_->reply.stalled(now, reply, moved_, limits.stall_timeout, least)) return;
  session_->connection().core().count_refused("stall");
  reset(NGHTTP2_CANCEL);
}

void Http2Stream::submit_head(std::span<const nghttp2_nv> fields, bool more) {
  head_sent_ = true;
  nghttp2_data_provider provider{};
  provider.source.ptr = this;
  provider.read_callback = [](nghttp2_session*, int32_t, uint8_t*, size_t room, uint32_t* flags,
                              nghttp2_data_source* source,
                              void*) { return static_cast<Http2Stream*>(source->ptr)->next_data(room, flags); };
  nghttp2_submit_response(session_->nghttp2(), id_, fields.data(), fields.size(), more ? &provider : nullptr);
  session_->connection().want_flush();
}

void Http2Stream::wake() {
  if (std::exchange(waiting_, false)) nghttp2_session_resume_data(session_->nghttp2(), id_);
  session_->connection().want_flush();
}

void Http2Stream::reset(uint32_t error_code) {
  nghttp2_submit_rst_stream(session_->nghttp2(), NGHTTP2_FLAG_NONE, id_, error_code);
  session_->connection().want_flush();
}

void Http2Stream::reply_sent() {
  session_->flood_guard().earn(kEarnedByReply);
  if (!remote_closed_ && !lets_body_run_out())
    nghttp2_submit_rst_stream(session_->nghttp2(), NGHTTP2_FLAG_NONE, id_, NGHTTP2_NO_ERROR);
}

}  // namespace modelmill::wire
