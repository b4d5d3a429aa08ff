#include "wire/http2_head.h"

namespace modelmill::wire {
namespace {

constexpr size_t kFieldOverhead = 32;

}  // namespace

void* Http2Head::operator new(size_t size) {
  void* block = pool_allocate(size);
  if (block == nullptr) throw std::bad_alloc();
  return block;
}

void Http2Head::add(nghttp2_rcbuf* name_buffer, nghttp2_rcbuf* value_buffer) {
  const nghttp2_vec n = nghttp2_rcbuf_get_buf(name_buffer);
  const nghttp2_vec v = nghttp2_rcbuf_get_buf(value_buffer);
  const std::string_view name(reinterpret_cast<const char*>(n.base), n.len);
  const std::string_view value(reinterpret_cast<const char*>(v.base), v.len);
  size_ += name.size() + value.size() + kFieldOverhead;
  ++count_;
  std::string_view* known = nullptr;
  switch (name.size()) {
    case 2:
      if (name == "te") return;
      break;
    case 5:
      if (name == ":path") known = &path;
      break;
    case 6:
      if (name == "expect") known = &expect;
      break;
    case 7:
      if (name == ":method")
        known = &method;
      else if (name == ":scheme")
        return;
      break;
    case 10:
      if (name == ":authority") known = &authority;
      break;
    case 11:
      if (name == "traceparent") traceparent = value;
      break;
    case 12:
      if (name == "content-type")
        known = &content_type;
      else if (name == "grpc-timeout")
        known = &grpc_timeout;
      else if (name == "x-request-id")
        request_id = value;
      break;
    case 13:
      if (name == "grpc-encoding") known = &grpc_encoding;
      break;
    case 14:
      if (name == "content-length") known = &content_length;
      break;
    case 15:
      if (name == "x-server-timing") server_timing = value;
      break;
    case 20:
      if (name == "grpc-accept-encoding") grpc_accept_encoding = value;
      break;
    default: break;
  }
  if (known == nullptr) {
    others.push_back({RcBuf(name_buffer), RcBuf(value_buffer)});
    return;
  }
  *known = value;
  known_.emplace_back(value_buffer);
}

void Http2Head::pass_over(nghttp2_rcbuf* name, nghttp2_rcbuf* value) {
  size_ += nghttp2_rcbuf_get_buf(name).len + nghttp2_rcbuf_get_buf(value).len + kFieldOverhead;
  ++count_;
}

}  // namespace modelmill::wire
