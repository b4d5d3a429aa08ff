#include "call_connection.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string_view>

namespace bench {
namespace {

constexpr size_t kMaxQueuedBytes = 1 << 20;
constexpr int32_t kWindow = 64 << 20;

[[noreturn]] void die(const char* what) {
  std::fprintf(stderr, "open_loop: %s: %s\n", what, std::strerror(errno));
  std::exit(2);
}

nghttp2_nv header(std::string_view name, std::string_view value, uint8_t flags) {
  const auto bytes = [](std::string_view text) {
    return const_cast<uint8_t*>(reinterpret_cast<const uint8_t*>(text.data()));
  };
  return {bytes(name), bytes(value), name.size(), value.size(), flags};
}

int connect_to(uint16_t port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (fd < 0 || ::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) die("connect");
  const int on = 1;
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (::fcntl(fd, F_SETFL, O_NONBLOCK) != 0) die("fcntl");
  return fd;
}

}  // namespace

CallConnection::CallConnection(uint16_t port, const CallTemplate& what, Ended ended)
    : what_(what), ended_(std::move(ended)), fd_(connect_to(port)) {
  constexpr uint8_t kKept = NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE;
  headers_ = {header(":method", "POST", kKept), header(":scheme", "http", kKept),
              header(":authority", what_.authority, kKept), header(":path", what_.path, kKept)};
  for (const auto& [name, value] : what_.headers) headers_.push_back(header(name, value, kKept));
  make_session();
}

CallConnection::~CallConnection() {
  nghttp2_session_del(session_);
  ::close(fd_);
}

void CallConnection::make_session() {
  nghttp2_session_callbacks* callbacks = nullptr;
  nghttp2_session_callbacks_new(&callbacks);
  nghttp2_session_callbacks_set_send_callback(callbacks, send_small);
  nghttp2_session_callbacks_set_send_data_callback(callbacks, send_body);
  nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
  nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
  nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_close);
  // Frames as large as the server takes them; nghttp2's own choice is 16 KiB.
  nghttp2_session_callbacks_set_data_source_read_length_callback(
      callbacks,
      [](nghttp2_session*, uint8_t, int32_t, int32_t session_window, int32_t stream_window, uint32_t largest, void*) {
        return static_cast<ssize_t>(
            std::min({static_cast<int64_t>(session_window), static_cast<int64_t>(stream_window), int64_t{largest}}));
      });
  nghttp2_session_client_new(&session_, callbacks, this);
  nghttp2_session_callbacks_del(callbacks);
  const nghttp2_settings_entry settings[] = {{NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
                                             {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, kWindow}};
  nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, settings, std::size(settings));
  nghttp2_session_set_local_window_size(session_, NGHTTP2_FLAG_NONE, 0, kWindow);
}

void CallConnection::start(Clock::time_point intended, Clock::time_point now) {
  if (free_.empty()) free_.push_back(&calls_.emplace_back());
  Call* call = free_.back();
  free_.pop_back();
  *call = Call{intended};
  char timeout[24];
  if (what_.deadline.count() > 0) {
    const auto late = std::chrono::duration_cast<std::chrono::microseconds>(now - intended);
    const int64_t left = std::max<int64_t>(1, (what_.deadline - late).count());
    char* end = std::to_chars(timeout, timeout + sizeof timeout - 1, left).ptr;
    *end++ = 'u';
    headers_.push_back(header("grpc-timeout", {timeout, static_cast<size_t>(end - timeout)}, NGHTTP2_NV_FLAG_NONE));
  }
  nghttp2_data_provider body{};
  body.source.ptr = call;
  body.read_callback = pack_body;
  if (nghttp2_submit_request(session_, nullptr, headers_.data(), headers_.size(), &body, call) < 0) {
    die("nghttp2_submit_request");
  }
  if (what_.deadline.count() > 0) headers_.pop_back();
}

bool CallConnection::receive() {
  static uint8_t buffer[256 << 10];
  while (true) {
    const ssize_t n = ::read(fd_, buffer, sizeof buffer);
    if (n < 0) return errno == EAGAIN || errno == EINTR;
    if (n == 0 || nghttp2_session_mem_recv(session_, buffer, n) < 0) return false;
    if (static_cast<size_t>(n) < sizeof buffer) return true;
  }
}

bool CallConnection::flush() {
  while (true) {
    if (!write_pieces()) return false;
    if (blocked() || nghttp2_session_want_write(session_) == 0) return true;
    if (nghttp2_session_send(session_) != 0) return false;
    if (!blocked()) return true;
  }
}

bool CallConnection::write_pieces() {
  while (!pieces_.empty()) {
    std::array<iovec, 64> vectors;
    const size_t count = std::min(pieces_.size(), vectors.size());
    for (size_t i = 0; i < count; ++i) {
      const Piece& piece = pieces_[i];
      const char* from = piece.body != nullptr ? piece.body : small_.data();
      vectors[i] = {const_cast<char*>(from + piece.begin), piece.size};
    }
    const ssize_t n = ::writev(fd_, vectors.data(), static_cast<int>(count));
    if (n < 0) return errno == EAGAIN || errno == EINTR;
    queued_bytes_ -= n;
    for (size_t left = n; left > 0;) {
      Piece& piece = pieces_.front();
      const size_t part = std::min(left, piece.size);
      piece.begin += part;
      piece.size -= part;
      left -= part;
      if (piece.size == 0) pieces_.pop_front();
    }
  }
  small_.clear();
  return true;
}

void CallConnection::append_small(const uint8_t* data, size_t size) {
  if (!pieces_.empty() && pieces_.back().body == nullptr) {
    pieces_.back().size += size;
  } else {
    pieces_.push_back({nullptr, small_.size(), size});
  }
  small_.append(reinterpret_cast<const char*>(data), size);
  queued_bytes_ += size;
}

ssize_t CallConnection::send_small(nghttp2_session*, const uint8_t* data, size_t size, int, void* self) {
  auto& connection = *static_cast<CallConnection*>(self);
  if (connection.queued_bytes_ > kMaxQueuedBytes) return NGHTTP2_ERR_WOULDBLOCK;
  connection.append_small(data, size);
  return static_cast<ssize_t>(size);
}

ssize_t CallConnection::pack_body(nghttp2_session*, int32_t, uint8_t*, size_t size, uint32_t* flags,
                                  nghttp2_data_source* source, void* self) {
  const std::string& body = static_cast<CallConnection*>(self)->what_.body;
  Call& call = *static_cast<Call*>(source->ptr);
  const size_t part = std::min(size, body.size() - call.packed);
  call.packed += part;
  *flags |= NGHTTP2_DATA_FLAG_NO_COPY;
  if (call.packed == body.size()) *flags |= NGHTTP2_DATA_FLAG_EOF;
  return static_cast<ssize_t>(part);
}

int CallConnection::send_body(nghttp2_session*, nghttp2_frame*, const uint8_t* head, size_t size,
                              nghttp2_data_source* source, void* self) {
  auto& connection = *static_cast<CallConnection*>(self);
  if (connection.queued_bytes_ > kMaxQueuedBytes) return NGHTTP2_ERR_WOULDBLOCK;
  constexpr size_t kFrameHead = 9;
  connection.append_small(head, kFrameHead);
  Call& call = *static_cast<Call*>(source->ptr);
  connection.pieces_.push_back({connection.what_.body.data(), call.queued, size});
  call.queued += size;
  connection.queued_bytes_ += size;
  return 0;
}

Call* CallConnection::call_of(int32_t stream) const {
  return static_cast<Call*>(nghttp2_session_get_stream_user_data(session_, stream));
}

int CallConnection::on_header(nghttp2_session*, const nghttp2_frame* frame, const uint8_t* name, size_t name_size,
                              const uint8_t* value, size_t value_size, uint8_t, void* self) {
  Call* call = static_cast<CallConnection*>(self)->call_of(frame->hd.stream_id);
  if (call == nullptr) return 0;
  const std::string_view key(reinterpret_cast<const char*>(name), name_size);
  int* into = key == ":status" ? &call->http_status : key == "grpc-status" ? &call->grpc_status : nullptr;
  if (into != nullptr) {
    const char* text = reinterpret_cast<const char*>(value);
    std::from_chars(text, text + value_size, *into);
  }
  return 0;
}

int CallConnection::on_data(nghttp2_session*, uint8_t, int32_t stream, const uint8_t*, size_t size, void* self) {
  if (Call* call = static_cast<CallConnection*>(self)->call_of(stream)) call->answer_bytes += size;
  return 0;
}

int CallConnection::on_close(nghttp2_session*, int32_t stream, uint32_t, void* self) {
  auto& connection = *static_cast<CallConnection*>(self);
  if (Call* call = connection.call_of(stream)) {
    connection.ended_(*call);
    connection.free_.push_back(call);
  }
  return 0;
}

}  // namespace bench
