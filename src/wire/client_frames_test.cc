#include "wire/client_frames.h"

#include <gtest/gtest.h>
#include <nghttp2/nghttp2.h>

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "wire/testing/test_server.h"

namespace modelmill::wire {
namespace {

constexpr std::string_view kPreface("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0", 33);

constexpr char kData = 0, kHeaders = 1, kPriority = 2, kRstStream = 3, kPing = 6, kContinuation = 9;
constexpr char kEndStream = 1, kEndHeaders = 4;

std::string frame(char type, char flags, char stream, std::string_view payload) {
  return std::string{0, 0, static_cast<char>(payload.size()), type, flags, 0, 0, 0, stream} + std::string(payload);
}

/// GET /
std::string headers(char stream, char flags) { return frame(kHeaders, flags, stream, "\x82\x86\x84\x41\1x"); }

/// The error code of the GOAWAY frame among what a connection has sent; -1 if there is none.
int goaway_code(std::string_view bytes) {
  const auto byte = [&bytes](size_t i) { return static_cast<uint8_t>(bytes[i]); };
  int code = -1;
  for (size_t at = 0; at + 17 <= bytes.size();) {
    if (byte(at + 3) == NGHTTP2_GOAWAY) code = byte(at + 16);
    at += 9 + (size_t{byte(at)} << 16 | size_t{byte(at + 1)} << 8 | byte(at + 2));
  }
  return code;
}

std::string rst(char stream) { return frame(kRstStream, 0, stream, std::string_view("\0\0\0\x8", 4)); }

std::string priority(char stream, char on) { return frame(kPriority, 0, stream, std::string{0, 0, 0, on, 16}); }

TEST(ClientFrames, Rules) {
  const char end = kEndHeaders | kEndStream;
  const std::string ping = frame(kPing, 0, 0, "12345678");
  struct Case {
    std::string fine, wrong;
    uint32_t error;
  };
  std::string many;
  for (char id = 3; id < 19; id += 2) many += headers(id, end);
  const std::vector<Case> cases = {
      {headers(1, kEndHeaders) + frame(kData, 0, 1, "abc") + ping + frame(kData, kEndStream, 1, "d") + headers(3, end),
       "", 0},
      {headers(1, kEndHeaders) + headers(3, kEndHeaders) + headers(1, end), "", 0},  // trailers
      {headers(1, 0) + frame(kContinuation, kEndHeaders, 1, "") + frame(kData, kEndStream, 1, ""), "", 0},
      {headers(1, end) + frame(8, 0, 1, "windw") + rst(1) + rst(1) + priority(1, 3), "", 0},
      {headers(5, end) + headers(7, end), headers(3, end), NGHTTP2_PROTOCOL_ERROR},
      {headers(1, end) + headers(9, kEndHeaders) + headers(9, end), headers(7, end), NGHTTP2_PROTOCOL_ERROR},
      {headers(1, end), headers(1, end), NGHTTP2_STREAM_CLOSED},
      {headers(1, end), frame(kData, 0, 1, "x"), NGHTTP2_STREAM_CLOSED},
      {headers(1, kEndHeaders) + rst(1), frame(kData, 0, 1, "x"), NGHTTP2_STREAM_CLOSED},
      {headers(1, kEndHeaders) + rst(1) + headers(3, kEndHeaders), headers(1, end), NGHTTP2_STREAM_CLOSED},
      {headers(1, end) + many, "", 0},
      {headers(1, end) + many + headers(1, end), "", 0},  // ended so long ago that it is forgotten
      {priority(3, 0), priority(0, 1), NGHTTP2_PROTOCOL_ERROR},
      {priority(3, 1), priority(3, 3), NGHTTP2_PROTOCOL_ERROR},
      {priority(3, 1), frame(kPriority, 0, 0, "x"), NGHTTP2_PROTOCOL_ERROR},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(&c - cases.data());
    const std::string all = std::string(kPreface) + c.fine + c.wrong;
    const auto bytes = std::as_bytes(std::span(all));
    ClientFrames whole;
    const auto verdict = whole.check(bytes);
    EXPECT_EQ(verdict.error, c.error);
    EXPECT_EQ(verdict.fine, all.size() - c.wrong.size());
    ClientFrames pieces;  // of a byte each
    uint32_t error = 0;
    for (size_t i = 0; i < bytes.size() && error == 0; ++i) error = pieces.check(bytes.subspan(i, 1)).error;
    EXPECT_EQ(error, c.error);
  }
}

TEST(ClientFrames, EndTheConnection) {
  TestServer server([](const std::shared_ptr<HttpExchange>& exchange) {
    exchange->reply(HttpReply::text(200, "text/plain", "the answer"));
  });
  server.start();
  const std::string open = headers(1, kEndHeaders), whole = headers(1, kEndHeaders | kEndStream);
  const std::string data = frame(kData, 0, 1, "x");
  struct Case {
    std::string first, then;
    bool answered;  // `then` is sent after the answer to `first`
    int code;
  };
  const std::vector<Case> cases = {
      {headers(5, kEndHeaders | kEndStream), headers(3, kEndHeaders | kEndStream), false, NGHTTP2_PROTOCOL_ERROR},
      {whole, whole, true, NGHTTP2_STREAM_CLOSED},
      {whole, data, true, NGHTTP2_STREAM_CLOSED},
      {open + rst(1), data, false, NGHTTP2_STREAM_CLOSED},
      {open + rst(1), whole, false, NGHTTP2_STREAM_CLOSED},
      {"", priority(0, 1), false, NGHTTP2_PROTOCOL_ERROR},
  };
  for (const Case& c : cases) {
    RawClient client(server.port());
    client.send(kPreface);
    client.send(c.first);
    std::string received;
    if (c.answered) received = client.read_until("the answer");
    client.send(c.then);
    received += client.read_to_end();
    EXPECT_EQ(goaway_code(received), c.code) << &c - cases.data();
  }
}

}  // namespace
}  // namespace modelmill::wire
