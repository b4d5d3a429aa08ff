#include "wire/grpc_encoding.h"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cstdint>

#include "wire/body_buffer.h"

namespace modelmill::wire {
namespace {

constexpr char kAlphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

constexpr std::array<int8_t, 256> kSextets = [] {
  std::array<int8_t, 256> table{};
  table.fill(-1);
  for (int i = 0; i < 64; ++i) table[static_cast<uint8_t>(kAlphabet[i])] = static_cast<int8_t>(i);
  return table;
}();

}  // namespace

std::optional<Duration> parse_grpc_timeout(std::string_view text) {
  if (text.size() < 2 || text.size() > 9) return std::nullopt;
  int64_t value = 0;
  const char* end = text.data() + text.size() - 1;
  if (text.front() < '0' || text.front() > '9') return std::nullopt;
  if (std::from_chars(text.data(), end, value).ptr != end) return std::nullopt;
  switch (text.back()) {
    case 'H': return std::min(std::chrono::hours(value), std::chrono::floor<std::chrono::hours>(kLongestTimeout));
    case 'M': return std::min(std::chrono::minutes(value), std::chrono::floor<std::chrono::minutes>(kLongestTimeout));
    case 'S': return std::chrono::seconds(value);
    case 'm': return std::chrono::milliseconds(value);
    case 'u': return std::chrono::microseconds(value);
    case 'n': return std::chrono::nanoseconds(value);
    default: return std::nullopt;
  }
}

std::string percent_encode(std::string_view text) {
  constexpr char kHex[] = "0123456789ABCDEF";
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    const auto byte = static_cast<uint8_t>(c);
    if (byte >= 0x20 && byte <= 0x7e && c != '%') {
      out += c;
    } else {
      out += '%';
      out += kHex[byte >> 4];
      out += kHex[byte & 15];
    }
  }
  return out;
}

std::string base64_encode(std::string_view bytes) {
  std::string out;
  out.reserve((bytes.size() * 4 + 2) / 3);
  uint32_t bits = 0;
  int count = 0;
  for (const char c : bytes) {
    bits = bits << 8 | static_cast<uint8_t>(c);
    count += 8;
    while (count >= 6) {
      count -= 6;
      out += kAlphabet[bits >> count & 63];
    }
  }
  if (count > 0) out += kAlphabet[bits << (6 - count) & 63];
  return out;
}

std::string base64_padded(std::string_view bytes) {
  std::string out = base64_encode(bytes);
  out.append((4 - out.size() % 4) % 4, '=');
  return out;
}

std::optional<std::string> base64_decode(std::string_view text) {
  for (int padding = 0; padding < 2 && !text.empty() && text.back() == '='; ++padding) text.remove_suffix(1);
  if (text.size() % 4 == 1) return std::nullopt;
  std::string out;
  out.reserve(text.size() * 3 / 4);
  uint32_t bits = 0;
  int count = 0;
  for (const char c : text) {
    const auto sextet = kSextets[static_cast<uint8_t>(c)];
    if (sextet < 0) return std::nullopt;
    bits = bits << 6 | static_cast<uint8_t>(sextet);
    count += 6;
    if (count >= 8) {
      count -= 8;
      out += static_cast<char>(bits >> count & 255);
    }
  }
  return out;
}

bool is_known_grpc_encoding(std::string_view encoding) {
  return encoding == "identity" || encoding == "gzip" || encoding == "deflate";
}

std::string_view choose_grpc_encoding(GrpcCompression mode, std::string_view request_encoding,
                                      std::string_view accepted) {
  if (mode == GrpcCompression::kOff) return {};
  if (mode == GrpcCompression::kMirror && (request_encoding.empty() || request_encoding == "identity")) return {};
  std::string_view best;
  while (!accepted.empty()) {
    const size_t comma = accepted.find(',');
    std::string_view one = accepted.substr(0, comma);
    accepted.remove_prefix(comma == std::string_view::npos ? accepted.size() : comma + 1);
    while (!one.empty() && one.front() == ' ') one.remove_prefix(1);
    while (!one.empty() && one.back() == ' ') one.remove_suffix(1);
    if (one == "gzip") return "gzip";
    if (one == "deflate") best = "deflate";
  }
  return best;
}

Result<Bytes> inflate_message(std::span<const std::byte> compressed, size_t limit) {
  constexpr int kDetectFormat = 32;  // gzip or zlib
  z_stream stream{};
  if (::inflateInit2(&stream, MAX_WBITS + kDetectFormat) != Z_OK) return internal("zlib could not be set up");
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<std::byte*>(compressed.data()));
  stream.avail_in = static_cast<uInt>(compressed.size());
  BodyBuffer out;
  int code = Z_OK;
  while (code == Z_OK && out.size() <= limit) {
    std::span<std::byte> room = out.room();
    room = room.first(std::min({room.size(), limit - out.size() + 1, size_t{1} << 30}));
    stream.next_out = reinterpret_cast<Bytef*>(room.data());
    stream.avail_out = static_cast<uInt>(room.size());
    code = ::inflate(&stream, Z_NO_FLUSH);
    out.commit(room.size() - stream.avail_out);
  }
  const bool all_read = stream.avail_in == 0;
  ::inflateEnd(&stream);
  if (out.size() > limit)
    return resource_exhausted("the inflated message is larger than the limit of " + std::to_string(limit) +
                              " bytes (--max-inflated-bytes, --max-message-bytes)");
  if (code != Z_STREAM_END || !all_read)
    return internal("the compressed message can't be inflated: its bytes are damaged");
  return out.take();
}

}  // namespace modelmill::wire
