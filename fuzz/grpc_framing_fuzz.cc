// What gRPC puts on top of HTTP/2: message framing against a second reading of it, compressed messages within their
// limit and back to what they were, and the codings of metadata.
#include <string>
#include <vector>

#include "base/check.h"
#include "dialect/http_compression.h"
#include "input.h"
#include "targets.h"
#include "wire/deflate.h"
#include "wire/grpc_deframer.h"
#include "wire/grpc_encoding.h"

namespace modelmill::fuzz {
namespace {

constexpr size_t kLimit = 64 * 1024;

struct Message {
  bool compressed = false;
  uint32_t length = 0;
  std::string bytes;
  bool ended = false;
  bool operator==(const Message&) const = default;
};

/// Keeps the messages; stops at the one whose beginning, or end, the input names.
class Sink final : public wire::GrpcDeframer::Sink {
 public:
  explicit Sink(size_t stop_after) : stop_after_(stop_after) {}
  bool on_frame_begin(bool compressed, uint32_t length) override {
    MM_CHECK(messages.empty() || messages.back().ended, "a message ends before the next begins");
    messages.push_back({compressed, length});
    return go_on();
  }
  bool on_frame_bytes(std::span<const std::byte> bytes) override {
    MM_CHECK(!messages.back().ended && !stopped_, "bytes belong to a message");
    messages.back().bytes.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    return true;
  }
  bool on_frame_end() override {
    messages.back().ended = true;
    return go_on();
  }

  std::vector<Message> messages;

 private:
  bool go_on() {
    MM_CHECK(!stopped_, "nothing comes after the stop");
    stopped_ = stop_after_ != 0 && ++events_ == stop_after_;
    return !stopped_;
  }
  size_t stop_after_;
  size_t events_ = 0;
  bool stopped_ = false;
};

std::vector<Message> read_plainly(std::string_view bytes, bool& inside) {
  std::vector<Message> messages;
  inside = false;
  while (!bytes.empty()) {
    if (bytes.size() < 5) {
      inside = true;
      break;
    }
    Message& message = messages.emplace_back();
    message.compressed = bytes[0] != 0;
    for (const char c : bytes.substr(1, 4)) message.length = message.length << 8 | static_cast<uint8_t>(c);
    message.bytes = bytes.substr(5, message.length);
    message.ended = message.bytes.size() == message.length;
    inside = !message.ended;
    bytes.remove_prefix(5 + message.bytes.size());
  }
  return messages;
}

void deframe(Input input) {
  const size_t stop_after = input.choice_of(8);
  Sink sink(stop_after);
  wire::GrpcDeframer deframer;
  cut(input, input.content(), [&](std::string_view piece) { deframer.feed(std::as_bytes(std::span(piece)), sink); });
  if (stop_after != 0) return;
  bool inside = false;
  MM_CHECK(sink.messages == read_plainly(input.content(), inside), "messages are as they were framed");
  MM_CHECK(deframer.inside_message() == inside, "an unfinished message is known as such");
}

void compress(std::string_view text, std::string_view coding) {
  const auto inflated = wire::inflate_message(std::as_bytes(std::span(text)), kLimit);
  MM_CHECK(!inflated.ok() || inflated->size() <= kLimit, "an inflated message keeps its limit");
  const InflateLimit limit{kLimit};
  const auto decoded = decode_body(Bytes::copy_of(text), coding, limit);
  MM_CHECK(!decoded.ok() || decoded->size() <= kLimit, "a decoded body keeps its limit");
  Chunks chunks;
  chunks.push_back(Bytes::copy_of(text));
  const auto format = coding == "gzip" ? wire::DeflateFormat::kGzip : wire::DeflateFormat::kZlib;
  const auto encoded = wire::deflate_chunks(chunks, format);
  if (!encoded) return;  // it would not be smaller
  const auto message = wire::inflate_message({encoded->data(), encoded->size()}, kLimit);
  MM_CHECK(message.ok() == (text.size() <= kLimit), "what was compressed inflates, unless it is too large");
  MM_CHECK(!message.ok() || message->view() == text, "to what it was");
  const auto body = decode_body(*encoded, coding, limit);
  MM_CHECK(body.ok() == message.ok() && (!body.ok() || body->view() == text), "and so does a body");
}

int hex(char c) { return c <= '9' ? c - '0' : c - 'A' + 10; }

std::string percent_decode(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
    } else {
      out += static_cast<char>(hex(text[i + 1]) << 4 | hex(text[i + 2]));
      i += 2;
    }
  }
  return out;
}

void code_metadata(std::string_view text) {
  if (const auto timeout = wire::parse_grpc_timeout(text))
    MM_CHECK(timeout->count() >= 0 && *timeout <= wire::kLongestTimeout, "a timeout is within bounds");
  if (const auto decoded = wire::base64_decode(text))
    MM_CHECK(wire::base64_decode(wire::base64_encode(*decoded)) == decoded, "what was decoded can be sent on");
  MM_CHECK(wire::base64_decode(wire::base64_encode(text)) == std::string(text), "base64 there and back");
  const std::string percent = wire::percent_encode(text);
  for (const char c : percent) MM_CHECK(c >= ' ' && c <= '~', "a message is printable");
  MM_CHECK(percent_decode(percent) == text, "percent coding there and back");
  const std::string_view chosen = choose_encoding(text);
  MM_CHECK(chosen.empty() || chosen == "gzip" || chosen == "deflate", "a coding that we have");
  const std::string_view answer = wire::choose_grpc_encoding(wire::GrpcCompression::kAlways, "", text);
  MM_CHECK(answer.empty() || answer == "gzip" || answer == "deflate", "the same for gRPC");
}

}  // namespace

void grpc_framing(std::string_view bytes) {
  const Input input(bytes);
  deframe(input);
  compress(input.content(), bytes.size() % 2 == 0 ? "gzip" : "deflate");
  code_metadata(input.content());
}

}  // namespace modelmill::fuzz
