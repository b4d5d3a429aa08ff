#pragma once

#include <cstddef>
#include <memory>
#include <string_view>

#include "base/result.h"
#include "runtime/metrics.h"
#include "tensor/tensor.h"

namespace modelmill {

/// What a compressed body may inflate to, and who counts those that would be larger (nobody, when null).
struct InflateLimit {
  size_t bytes = size_t{256} << 20;
  std::shared_ptr<Counter> refused = nullptr;
};

/// Inflates a body by its Content-Encoding: "gzip", "deflate"; "" and "identity" give it back as it is. UNIMPLEMENTED
/// for another coding, INVALID_ARGUMENT for broken data, RESOURCE_EXHAUSTED above the limit, of which little more is
/// allocated.
Result<Bytes> decode_body(const Bytes& body, std::string_view content_encoding, const InflateLimit& limit);

/// The coding that Accept-Encoding likes best of "gzip" and "deflate"; "" when it wants none of them more than nothing.
std::string_view choose_encoding(std::string_view accept_encoding);

/// The chunks deflated with "gzip" or "deflate" into one piece.
Result<Chunks> encode_body(const Chunks& body, std::string_view encoding);

}  // namespace modelmill
