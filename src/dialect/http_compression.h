#pragma once

#include <cstddef>
#include <memory>
#include <string_view>

#include "base/result.h"
#include "runtime/metrics.h"
#include "tensor/tensor.h"
#include "wire/http.h"

namespace modelmill {

/// What a compressed body may inflate to, and who counts those that would be larger (nobody, when null).
struct InflateLimit {
  size_t bytes = size_t{256} << 20;
  std::shared_ptr<Counter> refused = nullptr;
};

/// Inflates a body by its Content-Encoding: "gzip", "deflate"; "" and "identity" give it back as it is. UNIMPLEMENTED
/// for another coding, INVALID_ARGUMENT for broken data, RESOURCE_EXHAUSTED above the limit, of which little more is
/// allocated, or where there is no memory. Throws nothing.
Result<Bytes> decode_body(const Bytes& body, std::string_view content_encoding, const InflateLimit& limit);

/// The coding that Accept-Encoding likes best of "gzip" and "deflate"; "" when it wants none of them more than nothing.
std::string_view choose_encoding(std::string_view accept_encoding);

/// Compresses the reply's body with "gzip" or "deflate" (as choose_encoding() says; "": not) if it is large enough to
/// be worth it, and says so in its headers. Any thread.
void compress_reply(wire::HttpReply& reply, std::string_view encoding);
/// The same as the request would have it, with what caches must know, for an answer that they may keep.
void compress_reply(wire::HttpReply& reply, const wire::HttpRequest& request);

}  // namespace modelmill
