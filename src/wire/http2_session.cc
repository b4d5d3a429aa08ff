#include "wire/http2_session.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/check.h"
#include "base/log.h"
#include "wire/block_pool.h"
#include "wire/connection.h"
#include "wire/grpc_stream.h"
#include "wire/http2_exchange.h"
#include "wire/http_text.h"

namespace modelmill::wire {
namespace {

/// Windows let a tensor of some megabytes through without waiting for the server; they are granted again as bytes are
/// consumed, so they bound what waits in a connection, not what passes through it.
constexpr uint32_t kStreamWindow = 4u << 20;
constexpr int32_t kConnectionWindow = 32 << 20;
constexpr uint32_t kMaxFrame = 1u << 20;
constexpr size_t kLeastMaxFrame = 16 * 1024;
constexpr size_t kContinuations = 4;
constexpr uint32_t kSettingsCost = 8;
/// Of a frame that we send, whatever more the client would take: so that streams share a connection fairly.
constexpr size_t kSentFrame = 256 * 1024;
/// After a shutdown notice the client has so long to answer before its connection stops taking requests.
constexpr Duration kDrainNotice = std::chrono::milliseconds(500);
constexpr uint8_t kDrainPing[8] = {'d', 'r', 'a', 'i', 'n', 0, 0, 0};

/// Replies, resets and acknowledgements that wait to be sent; beyond so many the client makes more than it reads.
size_t most_frames_waiting(const Limits& limits) { return 4096 + 4 * size_t{limits.streams_per_connection}; }

Http2Session& self(void* user_data) { return *static_cast<Http2Session*>(user_data); }

}  // namespace

std::unique_ptr<Session> make_http2_session(Connection& connection) {
  return std::make_unique<Http2Session>(connection);
}

Http2Session::Http2Session(Connection& connection) : connection_(connection) {
  nghttp2_option* option = nullptr;
  MM_CHECK(nghttp2_option_new(&option) == 0, "out of memory");
  nghttp2_option_set_no_auto_window_update(option, 1);
  nghttp2_option_set_no_closed_streams(option, 1);
  // A head of the allowed size may come in frames of the least size that a client must be able to send, and some more.
  nghttp2_option_set_max_continuations(option, kContinuations + connection.core().limits.header_bytes / kLeastMaxFrame);
  // Resets count as other frames do, see FloodGuard.
  nghttp2_option_set_stream_reset_rate_limit(option, uint64_t{1} << 32, uint64_t{1} << 32);
  session_ = memory_.make_session(callbacks(), this, option);
  nghttp2_option_del(option);
  submit_settings();
  connection_.want_flush();
}

Http2Session::~Http2Session() {
  while (streams_ != nullptr)
    streams_->detach();  // without telling: peer_gone() has, or the server is being taken down
  nghttp2_session_del(session_);
}

nghttp2_session_callbacks* Http2Session::callbacks() {
  static nghttp2_session_callbacks* const callbacks = [] {
    nghttp2_session_callbacks* made = nullptr;
    MM_CHECK(nghttp2_session_callbacks_new(&made) == 0, "out of memory");
    nghttp2_session_callbacks_set_on_begin_headers_callback(
        made, [](nghttp2_session*, const nghttp2_frame* frame, void* user) {
          if (frame->hd.type == NGHTTP2_HEADERS) self(user).begin_head();
          return 0;
        });
    nghttp2_session_callbacks_set_on_header_callback2(
        made, [](nghttp2_session*, const nghttp2_frame* frame, nghttp2_rcbuf* name, nghttp2_rcbuf* value, uint8_t,
                 void* user) { return self(user).on_header(*frame, name, value); });
    nghttp2_session_callbacks_set_on_frame_recv_callback(
        made, [](nghttp2_session*, const nghttp2_frame* frame, void* user) { return self(user).on_frame(*frame); });
    nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(
        made, [](nghttp2_session*, const nghttp2_frame*, int error, void* user) {
          return self(user).on_invalid_frame(error);
        });
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(
        made, [](nghttp2_session*, uint8_t, int32_t id, const uint8_t* data, size_t size, void* user) {
          if (Http2Stream* stream = self(user).stream(id))
            stream->received({reinterpret_cast<const std::byte*>(data), size});
          else
            self(user).consumed(size);
          return 0;
        });
    nghttp2_session_callbacks_set_on_stream_close_callback(
        made, [](nghttp2_session*, int32_t id, uint32_t error_code, void* user) {
          self(user).on_stream_closed(id, error_code);
          return 0;
        });
    nghttp2_session_callbacks_set_on_frame_send_callback(made,
                                                         [](nghttp2_session*, const nghttp2_frame* frame, void* user) {
                                                           self(user).on_sent(*frame);
                                                           return 0;
                                                         });
    nghttp2_session_callbacks_set_send_data_callback(made, [](nghttp2_session*, nghttp2_frame*, const uint8_t* head,
                                                              size_t size, nghttp2_data_source* source, void* user) {
      OutQueue& out = *self(user).producing_;
      out.append_copy({reinterpret_cast<const char*>(head), 9});
      static_cast<Http2Stream*>(source->ptr)->move_data(out, size);
      return 0;
    });
    nghttp2_session_callbacks_set_data_source_read_length_callback(
        made, [](nghttp2_session*, uint8_t, int32_t, int32_t connection_window, int32_t stream_window,
                 uint32_t max_frame, void*) {
          const auto window = static_cast<size_t>(std::max(0, std::min(connection_window, stream_window)));
          return static_cast<ssize_t>(std::min({window, static_cast<size_t>(max_frame), kSentFrame}));
        });
    return made;
  }();
  return callbacks;
}

void Http2Session::submit_settings() {
  const Limits& limits = connection_.core().limits;
  const std::array<nghttp2_settings_entry, 5> settings = {{
      {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, limits.streams_per_connection},
      {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, kStreamWindow},
      {NGHTTP2_SETTINGS_MAX_FRAME_SIZE, kMaxFrame},
      {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, static_cast<uint32_t>(std::min<size_t>(limits.header_bytes, UINT32_MAX))},
      {NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1},  // replies leave in the order of their streams
  }};
  nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, settings.data(), settings.size());
  nghttp2_session_set_local_window_size(session_, NGHTTP2_FLAG_NONE, 0, kConnectionWindow);
}

Http2Stream* Http2Session::stream(int32_t id) {
  if (id == recent_id_) return recent_;
  auto* found = static_cast<Http2Stream*>(nghttp2_session_get_stream_user_data(session_, id));
  if (found != nullptr) {
    recent_ = found;
    recent_id_ = id;
  }
  return found;
}

void Http2Session::consumed(size_t n) {
  unconsumed_ += n;
  if (unconsumed_ < kGrantStep) return;
  nghttp2_session_consume_connection(session_, std::exchange(unconsumed_, 0));
}

void Http2Session::link(Http2Stream& stream) {
  stream.next_ = streams_;
  if (streams_ != nullptr) streams_->previous_ = &stream;
  streams_ = &stream;
}

void Http2Session::unlink(Http2Stream& stream) {
  (stream.previous_ != nullptr ? stream.previous_->next_ : streams_) = stream.next_;
  if (stream.next_ != nullptr) stream.next_->previous_ = stream.previous_;
  stream.previous_ = stream.next_ = nullptr;
  if (recent_ == &stream) {
    recent_ = nullptr;
    recent_id_ = 0;
  }
}

void Http2Session::receive(std::span<const std::byte> bytes) {
  if (failed_ || gone_) return;
  const ClientFrames::Verdict verdict = client_frames_.check(bytes);
  const ssize_t n = nghttp2_session_mem_recv(session_, reinterpret_cast<const uint8_t*>(bytes.data()), verdict.fine);
  if (flooded_ || n == NGHTTP2_ERR_FLOODED || n == NGHTTP2_ERR_TOO_MANY_CONTINUATIONS ||
      nghttp2_session_get_outbound_queue_size(session_) > most_frames_waiting(connection_.core().limits)) {
    connection_.core().count_refused("flood");
    Log::debug("connection cut: its client floods", {{"peer", connection_.peer()}});
    return fail(NGHTTP2_ENHANCE_YOUR_CALM);
  }
  if (n < 0) return fail(NGHTTP2_PROTOCOL_ERROR);  // nghttp2 can't go on with this peer: a bad preface, say
  if (verdict.error != NGHTTP2_NO_ERROR) return fail(verdict.error);
  if (nghttp2_session_want_write(session_) != 0 || nghttp2_session_want_read(session_) == 0) connection_.want_flush();
}

std::shared_ptr<Http2Stream> Http2Session::close_stream(Http2Stream& stream, uint32_t error_code) {
  std::shared_ptr<Http2Stream> last = stream.detach();
  if (!last) return last;
  connection_.counters().end_requests(last->protocol());
  last->on_closed(error_code, last);
  return last;
}

int Http2Session::on_frame(const nghttp2_frame& frame) {
  switch (frame.hd.type) {
    case NGHTTP2_HEADERS:
      if (frame.headers.cat == NGHTTP2_HCAT_REQUEST) begin_stream(frame.hd.stream_id, *head_);
      head_.reset();
      [[fallthrough]];
    case NGHTTP2_DATA:
      if ((frame.hd.flags & NGHTTP2_FLAG_END_STREAM) != 0) {
        if (Http2Stream* ended = stream(frame.hd.stream_id)) ended->remote_ended();
      } else if (frame.hd.type == NGHTTP2_DATA && frame.hd.length <= frame.data.padlen) {
        return spend(1);
      }
      break;
    case NGHTTP2_SETTINGS:
      settings_seen_ = true;
      return spend(kSettingsCost);  // it may change the window of every stream
    case NGHTTP2_PING:
      if (draining_ && (frame.hd.flags & NGHTTP2_FLAG_ACK) != 0 &&
          std::equal(std::begin(kDrainPing), std::end(kDrainPing), frame.ping.opaque_data))
        end_drain();
      return spend(1);
    default: return spend(1);
  }
  return 0;
}

void Http2Session::begin_stream(int32_t id, Http2Head& head) {
  const std::string_view limit = limit_met();
  if (!limit.empty()) connection_.core().count_refused(limit);
  if (is_grpc_content_type(head.content_type)) {
    auto call = std::allocate_shared<GrpcStream>(PoolAllocator<GrpcStream>(), *this, id);
    nghttp2_session_set_stream_user_data(session_, id, static_cast<Http2Stream*>(call.get()));
    call->attach(call);
    connection_.counters().begin_request(Protocol::kGrpc);
    const GrpcMethod* called = limit.empty() ? method(head.path) : nullptr;
    call->begin(head, called != nullptr ? last_path_ : std::make_shared<const std::string>(head.path), called, limit);
  } else {
    auto exchange = std::make_shared<Http2Exchange>(*this, id);
    nghttp2_session_set_stream_user_data(session_, id, static_cast<Http2Stream*>(exchange.get()));
    exchange->attach(exchange);
    connection_.counters().begin_request(Protocol::kHttp2);
    exchange->begin(head, limit);
  }
}

const GrpcMethod* Http2Session::method(std::string_view path) {
  if (last_method_ != nullptr && path == *last_path_) return last_method_;
  const GrpcMethod* found = connection_.core().grpc.find(path);
  if (found != nullptr) {
    last_path_ = std::make_shared<const std::string>(path);
    last_method_ = found;
  }
  return found;
}

void Http2Session::on_sent(const nghttp2_frame& frame) {
  if (frame.hd.type != NGHTTP2_HEADERS && frame.hd.type != NGHTTP2_DATA) return;
  if ((frame.hd.flags & NGHTTP2_FLAG_END_STREAM) == 0) return;
  if (Http2Stream* replied = stream(frame.hd.stream_id)) replied->reply_sent();
}

void Http2Session::produce(OutQueue& out) {
  if (gone_) return;
  producing_ = &out;
  while (out.size() < kOutHighWater) {
    const uint8_t* data = nullptr;
    const ssize_t n = nghttp2_session_mem_send(session_, &data);
    if (n < 0) failed_ = true;
    if (n <= 0) break;
    out.append_copy({reinterpret_cast<const char*>(data), static_cast<size_t>(n)});
  }
  producing_ = nullptr;
}

bool Http2Session::finished() const {
  if (gone_ || failed_) return true;
  return nghttp2_session_want_read(session_) == 0 && nghttp2_session_want_write(session_) == 0;
}

/// Two steps, as RFC 9113 (6.8) has it: a notice first, so that requests already on their way are still served, and
/// when the client has seen it (its answer to a PING tells) the final word.
void Http2Session::drain() {
  if (draining_ || gone_) return;
  draining_ = true;
  nghttp2_submit_shutdown_notice(session_);
  nghttp2_submit_ping(session_, NGHTTP2_FLAG_NONE, kDrainPing);
  drain_timer_ = connection_.loop().run_at(Clock::now() + kDrainNotice, [this] { end_drain(); });
  connection_.want_flush();
}

void Http2Session::end_drain() {
  if (gone_ || drain_timer_ == nullptr) return;
  drain_timer_.reset();
  nghttp2_submit_goaway(session_, NGHTTP2_FLAG_NONE, nghttp2_session_get_last_proc_stream_id(session_),
                        NGHTTP2_NO_ERROR, nullptr, 0);
  connection_.want_flush();
}

void Http2Session::peer_gone() {
  if (!std::exchange(gone_, true)) abandon_streams();
}

void Http2Session::abandon_streams() {
  drain_timer_.reset();
  while (streams_ != nullptr) close_stream(*streams_, NGHTTP2_CANCEL);
}

}  // namespace modelmill::wire
