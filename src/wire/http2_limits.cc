// Http2Session's part that holds its client to the limits.

#include <algorithm>
#include <utility>

#include "wire/connection.h"
#include "wire/http2_session.h"
#include "wire/http2_stream.h"

namespace modelmill::wire {
namespace {

/// A head that is larger than its limit is answered; one that is so many times larger ends the connection, because
/// the little that HPACK lets it come from costs the server more than its sender.
constexpr size_t kBomb = 4;
/// What a stream costs that can't be begun.
constexpr uint32_t kInvalidFrame = 4;

}  // namespace

void Http2Session::begin_head() {
  head_ = std::make_unique<Http2Head>();
  head_limit_ = {};
  ++heads_;
}

int Http2Session::on_header(const nghttp2_frame& frame, nghttp2_rcbuf* name, nghttp2_rcbuf* value) {
  if (head_ == nullptr) return 0;  // its stream has been refused
  if (frame.headers.cat == NGHTTP2_HCAT_REQUEST && head_limit_.empty())
    head_->add(name, value);
  else
    head_->pass_over(name, value);  // trailers as well
  const Limits& limits = connection_.core().limits;
  if (head_->size() <= limits.header_bytes && head_->count() <= limits.header_count) return 0;
  if (head_limit_.empty()) head_limit_ = head_->size() > limits.header_bytes ? "header" : "headers";
  if (head_->size() / kBomb <= limits.header_bytes) return 0;
  flooded_ = true;
  return NGHTTP2_ERR_CALLBACK_FAILURE;
}

int Http2Session::on_invalid_frame(int error) {
  head_.reset();
  if (error == NGHTTP2_ERR_REFUSED_STREAM) connection_.core().count_refused("streams");
  return spend(kInvalidFrame);
}

int Http2Session::spend(uint32_t frames) {
  if (flood_guard_.spend(frames)) return 0;
  flooded_ = true;
  return NGHTTP2_ERR_CALLBACK_FAILURE;
}

/// A request whose client has reset it makes room for the client's next one at once, but whoever works on it (a queue,
/// a model) may take longer to let it go. So many may be left behind as may be open.
void Http2Session::on_stream_closed(int32_t id, uint32_t error_code) {
  Http2Stream* closed = stream(id);
  if (closed == nullptr) return;
  const std::shared_ptr<Http2Stream> last = close_stream(*closed, error_code);
  if (error_code == NGHTTP2_NO_ERROR || last.use_count() <= 1) return;
  const size_t most = connection_.core().limits.streams_per_connection;
  if (undone_.size() >= most) std::erase_if(undone_, [](const auto& stream) { return stream.expired(); });
  if (undone_.size() >= most)
    flooded_ = true;
  else
    undone_.push_back(last);
}

/// The limit that a request meets whose head has come; empty: none.
std::string_view Http2Session::limit_met() const {
  if (!head_limit_.empty()) return head_limit_;
  const size_t most = connection_.core().limits.unsent;
  if (unsent_ <= most) return {};
  size_t largest = 0;  // one reply may be larger than all that may wait
  for (const Http2Stream* stream = streams_; stream != nullptr; stream = stream->next())
    largest = std::max(largest, stream->unsent());
  return unsent_ - largest > most ? "unsent" : std::string_view();
}

void Http2Session::fail(uint32_t error_code) {
  nghttp2_session_terminate_session(session_, error_code);
  failed_ = true;
  produce(connection_.out());  // while nghttp2 may still ask the streams
  gone_ = true;
  abandon_streams();
  connection_.want_flush();
}

void Http2Session::look(TimePoint now) {
  if (gone_ || failed_ || grow_old(now)) return;
  const Limits& limits = connection_.core().limits;
  const std::chrono::milliseconds window = limits.stall_timeout;
  const auto end = [this](std::string_view limit, uint32_t error_code) {
    connection_.core().count_refused(limit);
    fail(error_code);
  };
  const bool shut = unsent_ > 0 && nghttp2_session_get_remote_window_size(session_) <= 0;
  if (sending_.stalled(now, shut, moved_, window, least_bytes(limits))) return end("stall", NGHTTP2_ENHANCE_YOUR_CALM);
  for (Http2Stream* stream = streams_; stream != nullptr;) {
    Http2Stream* next = stream->next();
    stream->look(now);
    stream = next;
  }
  if (!settings_seen_ || head_ != nullptr) {
    if (still_.lasts(now, 2 * heads_ + 1, limits.header_timeout))
      end("header timeout", settings_seen_ ? NGHTTP2_ENHANCE_YOUR_CALM : NGHTTP2_SETTINGS_TIMEOUT);
  } else if (streams_ != nullptr || draining_) {
    still_.reset();
  } else if (still_.lasts(now, 2 * heads_, limits.idle_timeout)) {
    connection_.core().count_refused("idle");
    drain();
  } else {
    rest();
  }
}

bool Http2Session::grow_old(TimePoint now) {
  const Limits& limits = connection_.core().limits;
  const Duration age = std::chrono::duration_cast<Duration>(limits.connection_age * lifetime_);
  if (age == Duration::zero()) return false;
  if (!draining_) {
    if (alive_.lasts(now, 0, age)) {
      connection_.core().count_refused("age");
      aged_ = true;
      drain();
    }
    return false;
  }
  // One that a server's end drains has that end's time.
  if (!aged_ || !alive_.lasts(now, 1, limits.connection_age_grace)) return false;
  fail(NGHTTP2_NO_ERROR);
  return true;
}

/// Two looks in a row have found no stream, and none that came and went between them: what is kept for streams can go.
void Http2Session::rest() {
  if (std::exchange(quiet_, heads_) != heads_)
    rested_ = false;
  else if (!std::exchange(rested_, true))
    memory_.rest();
}

}  // namespace modelmill::wire
