#include "http2_frames.h"

#include <nghttp2/nghttp2.h>

#include <array>
#include <cstdint>
#include <map>
#include <utility>
#include <vector>

#include "base/check.h"

namespace modelmill::fuzz {
namespace {

using Fields = std::vector<std::pair<std::string_view, std::string_view>>;

Fields http(std::string_view method, std::string_view path, const Fields& more = {}) {
  Fields fields = {{":method", method}, {":scheme", "http"}, {":authority", "x"}, {":path", path}};
  fields.insert(fields.end(), more.begin(), more.end());
  return fields;
}
Fields grpc(std::string_view path, const Fields& more = {}) {
  Fields fields = http("POST", path, {{"content-type", "application/grpc"}, {"te", "trailers"}});
  fields.insert(fields.end(), more.begin(), more.end());
  return fields;
}

const std::vector<Fields>& requests() {
  static const std::vector<Fields> table = {
      http("GET", "/now"),
      http("POST", "/late"),
      http("POST", "/stream"),
      http("HEAD", "/large"),
      http("POST", "/now", {{"content-length", "5"}, {"expect", "100-continue"}}),
      http("GET", "/late/stream/large?q", {{"x-request-id", "1"}}),
      http("GET", "/204/stream"),
      grpc("/fuzz.Echo/Unary"),
      grpc("/fuzz.Echo/Late"),
      grpc("/fuzz.Echo/Each"),
      grpc("/fuzz.Echo/Many"),
      grpc("/fuzz.Echo/Unary", {{"grpc-encoding", "gzip"}, {"x-bin", "AAE,Ag=="}, {"grpc-timeout", "1H"}}),
      grpc("/fuzz.Echo/Late", {{"grpc-timeout", "0n"}}),
      grpc("/inference.GRPCInferenceService/ModelInfer"),
      grpc("/inference.GRPCInferenceService/ModelStreamInfer"),
      grpc("/inference.GRPCInferenceService/ServerLive"),
      grpc("/inference.GRPCInferenceService/ModelMetadata"),
      grpc("/grpc.health.v1.Health/Check"),
      grpc("/grpc.health.v1.Health/Watch"),
      grpc("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"),
      grpc("/no.Such/Method", {{"grpc-encoding", "zstd"}}),
      http("GET", "/fuzz.Echo/Unary", {{"content-type", "application/grpc+proto"}}),
  };
  return table;
}

/// HPACK without any state: literals that are neither indexed nor packed.
std::string header_block(const Fields& fields) {
  std::string block;
  for (const auto& [name, value] : fields) {
    block += '\0';
    block += static_cast<char>(name.size());
    block += name;
    block += static_cast<char>(value.size());
    block += value;
  }
  return block;
}

std::string frame(uint8_t type, uint8_t flags, uint32_t stream, std::string_view payload) {
  std::string out;
  for (const int shift : {16, 8, 0}) out += static_cast<char>(payload.size() >> shift);
  out += static_cast<char>(type);
  out += static_cast<char>(flags);
  for (const int shift : {24, 16, 8, 0}) out += static_cast<char>(stream >> shift);
  out += payload;
  return out;
}

std::string grpc_prefixed(std::string_view message, bool compressed) {
  std::string out(1, compressed ? '\1' : '\0');
  for (const int shift : {24, 16, 8, 0}) out += static_cast<char>(message.size() >> shift);
  out += message;
  return out;
}

class Script {
 public:
  explicit Script(std::string_view text) : text_(text) {}
  bool more() const { return !text_.empty(); }
  uint8_t byte() {
    if (text_.empty()) return 0;
    const auto value = static_cast<uint8_t>(text_.front());
    text_.remove_prefix(1);
    return value;
  }
  std::string payload() {
    const size_t length = byte();
    if (length >= 0xf0) return std::string((length - 0xef) * 1024, static_cast<char>(byte()));
    const std::string_view taken = text_.substr(0, length);
    text_.remove_prefix(taken.size());
    return std::string(taken);
  }

 private:
  std::string_view text_;
};

uint32_t number(std::string_view bytes) {
  uint32_t value = 0;
  for (const char c : bytes) value = value << 8 | static_cast<uint8_t>(c);
  return value;
}

/// Takes the server's frames apart.
class Answers {
 public:
  Answers() { MM_CHECK(nghttp2_hd_inflate_new(&inflater_) == 0, "out of memory"); }
  ~Answers() { nghttp2_hd_inflate_del(inflater_); }
  Answers(const Answers&) = delete;
  Answers& operator=(const Answers&) = delete;

  void take(uint8_t type, uint8_t flags, uint32_t stream, std::string_view payload) {
    MM_CHECK(!first_ || type == NGHTTP2_SETTINGS, "SETTINGS come first");
    first_ = false;
    MM_CHECK(open_block_ == 0 || (type == NGHTTP2_CONTINUATION && open_block_ == stream), "a block is one piece");
    switch (type) {
      case NGHTTP2_HEADERS:
        MM_CHECK(!ended_[stream], "nothing follows the end of a stream");
        MM_CHECK((flags & (NGHTTP2_FLAG_PADDED | NGHTTP2_FLAG_PRIORITY)) == 0, "plain headers");
        open_block_ = stream;
        ended_[stream] = (flags & NGHTTP2_FLAG_END_STREAM) != 0;
        block_ = payload;
        break;
      case NGHTTP2_CONTINUATION: block_ += payload; break;
      case NGHTTP2_DATA:
        MM_CHECK(has_status_[stream] && !ended_[stream], "data stands between head and end");
        MM_CHECK(payload.empty() || !bodiless_[stream], "no data where the status has none");
        ended_[stream] = (flags & NGHTTP2_FLAG_END_STREAM) != 0;
        return;
      case NGHTTP2_RST_STREAM: ended_[stream] = true; return;
      default: return;
    }
    if ((flags & NGHTTP2_FLAG_END_HEADERS) == 0) return;
    open_block_ = 0;
    take_block(stream);
  }

 private:
  void take_block(uint32_t stream) {
    std::string status;
    size_t at = 0;
    while (at < block_.size()) {
      nghttp2_nv field{};
      int flags = 0;
      const ssize_t n = nghttp2_hd_inflate_hd2(
          inflater_, &field, &flags, reinterpret_cast<const uint8_t*>(block_.data()) + at, block_.size() - at, 1);
      MM_CHECK(n >= 0, "a header block that can be read");
      at += static_cast<size_t>(n);
      if ((flags & NGHTTP2_HD_INFLATE_EMIT) != 0 && field.namelen == 7 && field.name[0] == ':')
        status.assign(reinterpret_cast<const char*>(field.value), field.valuelen);
      if ((flags & NGHTTP2_HD_INFLATE_FINAL) != 0) break;
    }
    nghttp2_hd_inflate_end_headers(inflater_);
    const bool interim = status == "100";
    MM_CHECK(status.empty() == has_status_[stream], "one status, and trailers without");
    if (!interim) has_status_[stream] = true;
    if (status == "204") bodiless_[stream] = true;
  }

  nghttp2_hd_inflater* inflater_ = nullptr;
  std::map<uint32_t, bool> ended_;
  std::map<uint32_t, bool> has_status_;
  std::map<uint32_t, bool> bodiless_;
  std::string block_;
  uint32_t open_block_ = 0;
  bool first_ = true;
};

}  // namespace

size_t request_count() { return requests().size(); }

std::string http2_stream(std::string_view text) {
  std::string out = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
  out += frame(NGHTTP2_SETTINGS, 0, 0, "");
  Script script(text);
  uint32_t next = 1;
  while (script.more()) {
    const uint8_t command = script.byte();
    if (command < 0x40) {
      const uint8_t flags = script.byte();
      const uint8_t stream = script.byte();
      out += frame(command & 15, flags, stream, script.payload());
    } else if (command < 0x80) {
      const uint8_t flags = NGHTTP2_FLAG_END_HEADERS | (script.byte() & NGHTTP2_FLAG_END_STREAM);
      out += frame(NGHTTP2_HEADERS, flags, next, header_block(requests()[(command & 63) % request_count()]));
      next += 2;
    } else if (command < 0xc0) {
      const uint32_t back = 2 * (1 + (command & 7u));
      std::string payload = script.payload();
      if ((command & 16) != 0) payload = grpc_prefixed(payload, (command & 32) != 0);
      out +=
          frame(NGHTTP2_DATA, (command & 8) != 0 ? NGHTTP2_FLAG_END_STREAM : 0, next > back ? next - back : 1, payload);
    } else {
      out += script.payload();
    }
  }
  return out;
}

void check_http2_answers(std::string_view sent) {
  Answers answers;
  while (sent.size() >= 9) {
    const uint32_t length = number(sent.substr(0, 3));
    if (sent.size() < 9 + length) return;  // the connection has ended inside a frame
    answers.take(static_cast<uint8_t>(sent[3]), static_cast<uint8_t>(sent[4]), number(sent.substr(5, 4)),
                 sent.substr(9, length));
    sent.remove_prefix(9 + length);
  }
}

}  // namespace modelmill::fuzz
