#pragma once

#include <nghttp2/nghttp2.h>

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "wire/testing/test_server.h"

namespace modelmill::wire {

/// A blocking HTTP/2 client on nghttp2, with hands on every frame that tests care for.
class Http2Client {
 public:
  using Headers = std::vector<std::pair<std::string, std::string>>;
  struct Stream {
    std::map<std::string, std::string> headers;  // and trailers
    std::string body;
    bool ended = false;
    uint32_t error = 0;
    int header_blocks = 0;
  };

  explicit Http2Client(uint16_t port, bool auto_window = true) : socket_(port) {
    nghttp2_session_callbacks* callbacks = nullptr;
    nghttp2_session_callbacks_new(&callbacks);
    nghttp2_session_callbacks_set_on_header_callback(
        callbacks, [](nghttp2_session*, const nghttp2_frame* frame, const uint8_t* name, size_t name_size,
                      const uint8_t* value, size_t value_size, uint8_t, void* user) {
          self(user).streams[frame->hd.stream_id].headers[std::string(reinterpret_cast<const char*>(name), name_size)] =
              std::string(reinterpret_cast<const char*>(value), value_size);
          return 0;
        });
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks,
                                                         [](nghttp2_session*, const nghttp2_frame* frame, void* user) {
                                                           if (frame->hd.type == NGHTTP2_GOAWAY) ++self(user).goaways;
                                                           if (frame->hd.type == NGHTTP2_HEADERS)
                                                             ++self(user).streams[frame->hd.stream_id].header_blocks;
                                                           return 0;
                                                         });
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(
        callbacks, [](nghttp2_session*, uint8_t, int32_t id, const uint8_t* data, size_t size, void* user) {
          self(user).streams[id].body.append(reinterpret_cast<const char*>(data), size);
          return 0;
        });
    nghttp2_session_callbacks_set_on_stream_close_callback(
        callbacks, [](nghttp2_session*, int32_t id, uint32_t error, void* user) {
          self(user).streams[id].ended = true;
          self(user).streams[id].error = error;
          return 0;
        });
    nghttp2_option* option = nullptr;
    nghttp2_option_new(&option);
    nghttp2_option_set_no_auto_window_update(option, auto_window ? 0 : 1);
    nghttp2_session_client_new2(&session_, callbacks, this, option);
    nghttp2_option_del(option);
    nghttp2_session_callbacks_del(callbacks);
    nghttp2_submit_settings(session_, 0, nullptr, 0);
    flush();
  }
  ~Http2Client() { nghttp2_session_del(session_); }

  /// Headers only, or with `end_stream` a request without body.
  int32_t request(const Headers& headers, bool end_stream) {
    std::vector<nghttp2_nv> fields;
    for (const auto& [name, value] : headers)
      fields.push_back({reinterpret_cast<uint8_t*>(const_cast<char*>(name.data())),
                        reinterpret_cast<uint8_t*>(const_cast<char*>(value.data())), name.size(), value.size(), 0});
    const int32_t id = nghttp2_submit_headers(session_, end_stream ? NGHTTP2_FLAG_END_STREAM : 0, -1, nullptr,
                                              fields.data(), fields.size(), nullptr);
    flush();
    return id;
  }
  int32_t grpc(std::string_view path, const Headers& more = {}) {
    Headers headers = {{":method", "POST"},
                       {":scheme", "http"},
                       {":authority", "test"},
                       {":path", std::string(path)},
                       {"content-type", "application/grpc"},
                       {"te", "trailers"}};
    headers.insert(headers.end(), more.begin(), more.end());
    return request(headers, false);
  }
  void data(int32_t id, std::string bytes, bool end_stream) {
    pending_ = std::move(bytes);
    nghttp2_data_provider provider{};
    provider.source.ptr = this;
    provider.read_callback = [](nghttp2_session*, int32_t, uint8_t* out, size_t room, uint32_t* flags,
                                nghttp2_data_source* source, void*) {
      std::string& left = static_cast<Http2Client*>(source->ptr)->pending_;
      const size_t n = std::min(room, left.size());
      left.copy(reinterpret_cast<char*>(out), n);
      left.erase(0, n);
      if (left.empty()) *flags |= NGHTTP2_DATA_FLAG_EOF;
      return static_cast<ssize_t>(n);
    };
    nghttp2_submit_data(session_, end_stream ? NGHTTP2_FLAG_END_STREAM : 0, id, &provider);
    flush();
    while (!pending_.empty() && receive()) {
    }
  }
  void reset(int32_t id) {
    nghttp2_submit_rst_stream(session_, 0, id, NGHTTP2_CANCEL);
    flush();
  }
  /// Grants what has been received so far (without auto_window).
  void grant(int32_t id, int32_t n) {
    nghttp2_submit_window_update(session_, 0, 0, n);
    nghttp2_submit_window_update(session_, 0, id, n);
    flush();
  }
  /// Receives until the stream has ended, or the connection has; the reply so far.
  Stream& wait(int32_t id) {
    while (!streams[id].ended && receive()) {
    }
    return streams[id];
  }
  void wait_for_head(int32_t id) {
    while (streams[id].header_blocks == 0 && receive()) {
    }
  }
  void wait_for_body(int32_t id, size_t n) {
    while (streams[id].body.size() < n && !streams[id].ended && receive()) {
    }
  }
  bool receive() {
    const std::string bytes = socket_.read_available();
    if (bytes.empty()) return false;
    nghttp2_session_mem_recv(session_, reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size());
    flush();
    return true;
  }
  void receive_to_end() {
    while (receive()) {
    }
  }
  void close() { socket_.close(); }

  std::map<int32_t, Stream> streams;
  int goaways = 0;

 private:
  static Http2Client& self(void* user) { return *static_cast<Http2Client*>(user); }
  void flush() {
    const uint8_t* bytes = nullptr;
    for (ssize_t n; (n = nghttp2_session_mem_send(session_, &bytes)) > 0;)
      socket_.send({reinterpret_cast<const char*>(bytes), static_cast<size_t>(n)});
  }

  RawClient socket_;
  nghttp2_session* session_ = nullptr;
  std::string pending_;
};

/// A gRPC message with its prefix.
inline std::string framed(std::string_view message, char flag = 0) {
  const auto n = static_cast<uint32_t>(message.size());
  std::string out{flag, static_cast<char>(n >> 24), static_cast<char>(n >> 16), static_cast<char>(n >> 8),
                  static_cast<char>(n)};
  out += message;
  return out;
}

}  // namespace modelmill::wire
