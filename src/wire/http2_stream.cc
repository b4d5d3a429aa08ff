#include "wire/http2_stream.h"

#include <algorithm>
#include <utility>

#include "wire/connection.h"
#include "wire/http2_session.h"

namespace modelmill::wire {

Http2Stream::Http2Stream(Http2Session& session, int32_t id) : session_(&session), id_(id) { session.link(*this); }

Http2Stream::~Http2Stream() {
  if (session_ != nullptr) session_->unlink(*this);
}

std::shared_ptr<Http2Stream> Http2Stream::detach() {
  if (session_ != nullptr) session_->unlink(*this);
  session_ = nullptr;
  out_.clear();
  return std::move(self_);
}

void Http2Stream::received(std::span<const std::byte> bytes) {
  session_->consumed(bytes.size());
  unconsumed_ += bytes.size();
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
  if (n == out_.size() && out_ended_) {
    *flags |= NGHTTP2_DATA_FLAG_EOF;
    if (submit_trailers()) *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
  }
  return static_cast<ssize_t>(n);
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
  if (!remote_closed_) nghttp2_submit_rst_stream(session_->nghttp2(), NGHTTP2_FLAG_NONE, id_, NGHTTP2_NO_ERROR);
}

}  // namespace modelmill::wire
