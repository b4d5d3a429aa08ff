#include "dialect/http_compression.h"

#include <zlib.h>

#include <algorithm>
#include <charconv>
#include <climits>
#include <new>
#include <span>
#include <string>

#include "wire/body_buffer.h"
#include "wire/deflate.h"

namespace modelmill {
namespace {

constexpr int kGzipWindow = 15 + 16;
constexpr int kZlibWindow = 15;

/// zlib counts in 32 bits.
uInt piece(size_t left) { return static_cast<uInt>(std::min<size_t>(left, size_t{1} << 30)); }

Bytef* bytes_of(const std::byte* data) { return reinterpret_cast<Bytef*>(const_cast<std::byte*>(data)); }

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  return text;
}

/// The q of "gzip;q=0.5"; 1 without one, 0 when it makes no sense.
double quality(std::string_view parameters) {
  const size_t at = parameters.find("q=");
  if (at == std::string_view::npos) return 1;
  const std::string_view text = parameters.substr(at + 2);
  double q = 0;
  std::from_chars(text.data(), text.data() + text.size(), q);
  return q;
}

size_t body_size(const wire::HttpReply& reply) {
  size_t size = 0;
  for (const Bytes& chunk : reply.body) size += chunk.size();
  return size;
}

/// zlib's state of one run, given back whatever ends it.
struct Inflation {
  explicit Inflation(int window) : ready(inflateInit2(&stream, window) == Z_OK) {}
  ~Inflation() {
    if (ready) inflateEnd(&stream);
  }
  Inflation(const Inflation&) = delete;
  Inflation& operator=(const Inflation&) = delete;

  z_stream stream{};
  const bool ready;
};

Result<Bytes> inflate_all(const Bytes& body, int window, const InflateLimit& limit) {
  Inflation inflation(window);
  if (!inflation.ready) return internal("zlib could not start");
  z_stream& stream = inflation.stream;
  wire::BodyBuffer out;
  size_t fed = 0;
  int state = Z_OK;
  while (state == Z_OK && out.size() <= limit.bytes) {
    if (stream.avail_in == 0 && fed < body.size()) {
      stream.next_in = bytes_of(body.data() + fed);
      stream.avail_in = piece(body.size() - fed);
      fed += stream.avail_in;
    }
    std::span<std::byte> room = out.room();
    room = room.first(std::min(room.size(), limit.bytes - out.size() + 1));  // one more tells that it is too large
    stream.next_out = bytes_of(room.data());
    stream.avail_out = piece(room.size());
    const uInt before = stream.avail_out;
    state = inflate(&stream, Z_NO_FLUSH);  // Z_BUF_ERROR: cut off
    out.commit(before - stream.avail_out);
  }
  if (out.size() > limit.bytes) {
    if (limit.refused) limit.refused->add();
    return Status(Code::kResourceExhausted,
                  "the inflated body passes the limit of " + std::to_string(limit.bytes) +
                      " bytes (--max-inflated-bytes); send it in parts or without compression");
  }
  if (state != Z_STREAM_END) return invalid_argument("the compressed body is broken or cut off");
  return out.take();
}

}  // namespace

Result<Bytes> decode_body(const Bytes& body, std::string_view content_encoding, const InflateLimit& limit) try {
  if (content_encoding.empty() || content_encoding == "identity") return body;
  if (content_encoding == "gzip") return inflate_all(body, kGzipWindow, limit);
  if (content_encoding == "deflate") return inflate_all(body, kZlibWindow, limit);
  return unimplemented("Unsupported compression type: Content-Encoding '" + std::string(content_encoding) +
                       "'; gzip and deflate are supported");
} catch (const std::bad_alloc&) {
  return resource_exhausted("no memory for the inflated body; send it in parts or without compression");
}

std::string_view choose_encoding(std::string_view accept_encoding) {
  std::string_view best;
  double best_quality = 0;
  while (!accept_encoding.empty()) {
    const size_t comma = accept_encoding.find(',');
    const std::string_view item = accept_encoding.substr(0, comma);
    accept_encoding.remove_prefix(comma == std::string_view::npos ? accept_encoding.size() : comma + 1);
    const size_t semicolon = item.find(';');
    const std::string_view coding = trimmed(item.substr(0, semicolon));
    const double q = semicolon == std::string_view::npos ? 1 : quality(item.substr(semicolon));
    if ((coding == "gzip" || coding == "deflate" || coding == "identity") && q > best_quality) {
      best = coding;
      best_quality = q;
    }
  }
  return best == "identity" ? std::string_view() : best;
}

void compress_reply(wire::HttpReply& reply, std::string_view encoding) {
  if (encoding.empty() || body_size(reply) < wire::kLeastDeflated) return;
  const auto format = encoding == "gzip" ? wire::DeflateFormat::kGzip : wire::DeflateFormat::kZlib;
  auto deflated = wire::deflate_chunks(reply.body, format);
  if (!deflated) return;
  reply.body.clear();
  reply.body.push_back(*std::move(deflated));
  reply.headers.emplace_back("Content-Encoding", encoding);
}

void compress_reply(wire::HttpReply& reply, const wire::HttpRequest& request) {
  if (body_size(reply) < wire::kLeastDeflated) return;
  reply.headers.emplace_back("Vary", "Accept-Encoding");
  compress_reply(reply, choose_encoding(request.header("accept-encoding")));
}

}  // namespace modelmill
