#pragma once

#include <nghttp2/nghttp2.h>

#include <boost/container/small_vector.hpp>
#include <string_view>
#include <utility>

#include "wire/block_pool.h"

namespace modelmill::wire {

/// A counted reference to a string of nghttp2's. The count is not atomic: for the loop's thread only.
class RcBuf {
 public:
  explicit RcBuf(nghttp2_rcbuf* buffer) : buffer_(buffer) { nghttp2_rcbuf_incref(buffer_); }
  RcBuf(RcBuf&& other) noexcept : buffer_(std::exchange(other.buffer_, nullptr)) {}
  RcBuf& operator=(RcBuf&& other) noexcept {
    std::swap(buffer_, other.buffer_);
    return *this;
  }
  ~RcBuf() {
    if (buffer_ != nullptr) nghttp2_rcbuf_decref(buffer_);
  }

  std::string_view view() const {
    const nghttp2_vec bytes = nghttp2_rcbuf_get_buf(buffer_);
    return {reinterpret_cast<const char*>(bytes.base), bytes.len};
  }

 private:
  nghttp2_rcbuf* buffer_;
};

/// The header block of a request as it arrives. What the wire needs is told apart here, in place; the names and values
/// themselves stay where nghttp2 has them. Each request has one, and only while its head arrives, so it comes from the
/// thread's pool.
class Http2Head {
 public:
  struct Field {
    RcBuf name;
    RcBuf value;
  };
  using Fields = boost::container::small_vector<Field, 8>;

  static void* operator new(size_t size);
  static void operator delete(void* block) { pool_free(block); }

  void add(nghttp2_rcbuf* name, nghttp2_rcbuf* value);
  /// Only counts it: for what is not kept.
  void pass_over(nghttp2_rcbuf* name, nghttp2_rcbuf* value);
  size_t size() const { return size_; }  // as HTTP/2 counts a header list
  size_t count() const { return count_; }

  std::string_view method;
  std::string_view path;
  std::string_view content_type;
  std::string_view content_length;
  std::string_view expect;
  std::string_view authority;
  std::string_view grpc_timeout;
  std::string_view grpc_encoding;
  // These are among the others as well.
  std::string_view request_id;
  std::string_view traceparent;
  std::string_view server_timing;
  std::string_view grpc_accept_encoding;
  /// Everything that is not named above, host included. With gRPC only the caller's metadata, te left out.
  Fields others;

 private:
  boost::container::small_vector<RcBuf, 8> known_;  // keeps what the views above show
  size_t size_ = 0;
  size_t count_ = 0;
};

}  // namespace modelmill::wire
