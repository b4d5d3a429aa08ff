#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/result.h"

namespace modelmill::wire {

/// The value of grpc-timeout: up to eight digits and a unit of H, M, S, m, u, n. nullopt when malformed; what is longer
/// than kLongestTimeout is that.
inline constexpr Duration kLongestTimeout = std::chrono::hours(24 * 365 * 100);
std::optional<Duration> parse_grpc_timeout(std::string_view text);

/// The value of grpc-message: printable ASCII stays, all else and '%' become %XX.
std::string percent_encode(std::string_view text);

/// Base64 as "-bin" metadata has it: written without padding, read with or without.
std::string base64_encode(std::string_view bytes);
/// The same with the padding that others want.
std::string base64_padded(std::string_view bytes);
std::optional<std::string> base64_decode(std::string_view text);

/// The header grpc-accept-encoding of this server.
inline constexpr std::string_view kGrpcAcceptEncoding = "identity,deflate,gzip";
/// Whether messages in that grpc-encoding can be read.
bool is_known_grpc_encoding(std::string_view encoding);

/// Which messages of answers are compressed.
enum class GrpcCompression {
  kOff,
  kMirror,  // of calls that name an encoding for their own messages
  kAlways,  // of all calls that accept one
};
/// The encoding of a call's answer, of those that the caller accepts (grpc-accept-encoding): "gzip", "deflate", or ""
/// for none.
std::string_view choose_grpc_encoding(GrpcCompression mode, std::string_view request_encoding,
                                      std::string_view accepted);

/// Inflates one message, gzip or deflate (zlib), told apart by their first bytes. RESOURCE_EXHAUSTED when it would be
/// larger than `limit`; nothing beyond `limit` is allocated.
Result<Bytes> inflate_message(std::span<const std::byte> compressed, size_t limit);

}  // namespace modelmill::wire
