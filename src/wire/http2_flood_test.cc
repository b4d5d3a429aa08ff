#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "wire/testing/http2_client.h"
#include "wire/testing/http2_frames.h"

namespace modelmill::wire {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;

constexpr int kProtocolError = 1;
constexpr int kEnhanceYourCalm = 11;
constexpr char kGet[] = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";

void hello(const std::shared_ptr<HttpExchange>& exchange) {
  exchange->reply(HttpReply::text(200, "text/plain", "hello"));
}

std::string repeated(std::string_view frame, int times) {
  std::string out;
  for (int i = 0; i < times; ++i) out += frame;
  return out;
}

size_t resident_bytes() {
  size_t pages = 0;
  std::ifstream statm("/proc/self/statm");
  statm >> pages >> pages;
  return pages * 4096;
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr size_t kMemory = size_t{1} << 30;  // a sanitizer keeps what was freed
#else
constexpr size_t kMemory = size_t{48} << 20;
#endif

/// Sends the bytes to a server of one loop, where another client is served meanwhile; the error code that the
/// connection ends with.
int flood(TestServer& server, const std::string& bytes) {
  RawClient other(server.port());
  other.send(kGet);
  EXPECT_THAT(other.read_reply(), EndsWith("hello"));
  const size_t before = resident_bytes();
  RawClient flooding(server.port());
  std::thread sender([&] { flooding.send(preface() + bytes); });
  for (int i = 0; i < 50; ++i) {
    other.send(kGet);
    EXPECT_THAT(other.read_reply(), EndsWith("hello"));
  }
  sender.join();
  const int error = goaway_error(flooding);
  const size_t after = resident_bytes();
  EXPECT_LT(after, before + kMemory);
  other.send(kGet);
  EXPECT_THAT(other.read_reply(), EndsWith("hello"));
  return error;
}

struct Flood {
  const char* name;
  std::string bytes;
  int error = kEnhanceYourCalm;
};

std::vector<Flood> floods() {
  const std::string post = frame(kHeaders, kEndHeaders, 1, kPostBlock);
  // One header of 4,000 bytes goes into HPACK's table; each byte after it is that header once more.
  std::string bomb = kGetBlock + "\x40\x01x\x7f" + "\xa1\x1e" + std::string(4000, 'y') + std::string(12'000, '\xbe');
  std::string beyond;
  for (uint32_t i = 0; i < 20'000; ++i) beyond += frame(kHeaders, kEndHeaders, 2 * i + 1, kPostBlock);
  return {
      {"Settings", repeated(frame(kSettings, 0, 0), 20'000)},
      {"Ping", repeated(frame(kPing, 0, 0, "12345678"), 50'000)},
      {"PingAck", repeated(frame(kPing, kAck, 0, "12345678"), 50'000)},
      {"WindowUpdate", repeated(frame(kWindowUpdate, 0, 0, big_endian(1)), 50'000)},
      {"EmptyData", post + repeated(frame(kData, 0, 1), 50'000)},
      {"PaddedEmptyData", post + repeated(frame(kData, 8, 1, std::string(1, '\0')), 50'000)},
      {"Continuation", frame(kHeaders, kEndStream, 1, kGetBlock) + repeated(frame(kContinuation, 0, 1), 50'000)},
      {"HpackBomb", frame(kHeaders, kEndStream | kEndHeaders, 1, bomb)},
      {"HpackBombInTrailers", post + frame(kHeaders, kEndStream | kEndHeaders, 1, bomb.substr(kGetBlock.size()))},
      {"StreamsBeyondTheLimit", beyond},
      {"StreamsBeyondTheAgreedLimit", frame(kSettings, kAck, 0) + beyond, kProtocolError},
  };
}

class Http2Floods : public ::testing::TestWithParam<Flood> {};

TEST_P(Http2Floods, EndsTheConnectionAndNoOther) {
  Limits limits;
  limits.streams_per_connection = 100;
  TestServer server(hello, limits);
  server.start();
  EXPECT_EQ(flood(server, GetParam().bytes), GetParam().error);
  const std::string floods = GetParam().error == kEnhanceYourCalm ? "1" : "0";
  EXPECT_THAT(server.metrics().render(), HasSubstr("modelmill_wire_refused_total{limit=\"flood\"} " + floods));
}

INSTANTIATE_TEST_SUITE_P(All, Http2Floods, ::testing::ValuesIn(floods()),
                         [](const auto& info) { return std::string(info.param.name); });

TEST(Http2Flood, PriorityFramesCostNothing) {
  TestServer server(hello);
  server.start();
  const std::string priority = frame(kPriority, 0, 1, big_endian(0) + "\x10");
  flood(server, repeated(priority, 50'000) + frame(kGoaway, 0, 0, big_endian(0) + big_endian(0)));
}

/// Requests that are reset at once, whose handler has let go of them.
TEST(Http2Flood, RapidResetIsCalmed) {
  std::atomic<int> asked{0};
  TestServer server([&](const std::shared_ptr<HttpExchange>& exchange) {
    if (!exchange->request().http2) return hello(exchange);
    ++asked;
  });
  server.start();
  std::string bytes;
  for (uint32_t i = 0; i < 50'000; ++i) bytes += get_frame(2 * i + 1) + reset_frame(2 * i + 1);
  EXPECT_EQ(flood(server, bytes), kEnhanceYourCalm);
  EXPECT_LT(asked, 20'000);
}

/// Requests that are reset at once, on which the handler goes on working: so many are left behind, and no more.
TEST(Http2Flood, ResetRequestsThatAreStillWorkedOnAreBounded) {
  Limits limits;
  limits.streams_per_connection = 16;
  std::vector<std::shared_ptr<HttpExchange>> held;
  std::atomic<int> asked{0};
  std::atomic<int> abandoned{0};
  TestServer server(
      [&](std::shared_ptr<HttpExchange> exchange) {
        if (!exchange->request().http2) return hello(exchange);
        exchange->on_abandoned([&] { ++abandoned; });
        ++asked;
        held.push_back(std::move(exchange));
      },
      limits);
  server.start();
  RawClient client(server.port());
  client.send(preface());
  std::string bytes;
  for (uint32_t i = 0; i < 1000; ++i) bytes += get_frame(2 * i + 1) + reset_frame(2 * i + 1);
  client.send(bytes);
  EXPECT_EQ(goaway_error(client), kEnhanceYourCalm);
  EXPECT_EQ(abandoned, asked);
  EXPECT_GE(asked, 16);
}

/// A client at work resets, pings and grants as well; its replies earn what that costs.
TEST(Http2Flood, AClientAtWorkIsNone) {
  TestServer server(hello);
  server.start();
  RawClient client(server.port());
  client.send(preface());
  for (uint32_t i = 0; i < 3000; ++i) {
    const uint32_t id = 2 * i + 1;
    client.send(get_frame(id) + frame(kPing, 0, 0, "12345678") + frame(kWindowUpdate, 0, 0, big_endian(100)) +
                frame(kWindowUpdate, 0, id, big_endian(100)));
    const auto reply = read_frame(client, kData);
    ASSERT_TRUE(reply) << i;
    ASSERT_EQ(reply->payload, "hello");
    client.send(reset_frame(id));
  }
}

/// Replies to a client that opens no window wait; beyond the limit its requests are refused, others' are not.
TEST(Http2Flood, RepliesThatWaitForAWindowAreBounded) {
  Limits limits;
  limits.unsent = 4 << 20;
  const Bytes large = Bytes::from_string(std::string(1 << 20, 'x'));
  std::atomic<int> asked{0};
  TestServer server(
      [&](const std::shared_ptr<HttpExchange>& exchange) {
        if (!exchange->request().http2) return hello(exchange);
        ++asked;
        HttpReply reply;
        reply.body.push_back(large);
        exchange->reply(std::move(reply));
      },
      limits);
  server.start();
  RawClient client(server.port());
  client.send(preface() + settings_frame(4, 0));
  for (uint32_t i = 0; i < 20; ++i) client.send(get_frame(2 * i + 1));
  // The 20th is refused by a 503, whose body needs a window too; its head does not.
  while (auto head = read_frame(client, kHeaders))
    if (head->stream == 39) break;
  EXPECT_LE(asked, 6);
  EXPECT_THAT(server.metrics().render(), HasSubstr("limit=\"unsent\"} 14"));
  RawClient other(server.port());
  other.send(kGet);
  EXPECT_THAT(other.read_reply(), EndsWith("hello"));
  // With a window all is delivered, and requests are served again.
  client.send(settings_frame(4, 1 << 30) + frame(kWindowUpdate, 0, 0, big_endian(1 << 30)));
  for (int ended = 0; ended < 20;) {
    const auto data = read_frame(client, kData);
    ASSERT_TRUE(data);
    ended += data->flags & kEndStream;
  }
  client.send(get_frame(41));
  while (auto data = read_frame(client, kData))
    if (data->stream == 41 && (data->flags & kEndStream) != 0) return;
  FAIL() << "the connection has ended";
}

TEST(Http2Flood, OneReplyMayBeLargerThanTheLimit) {
  Limits limits;
  limits.unsent = 1000;
  TestServer server(
      [&](const std::shared_ptr<HttpExchange>& exchange) {
        exchange->reply(
            HttpReply::text(200, "text/plain", std::string(exchange->request().path == "/" ? 1 << 20 : 10, 'x')));
      },
      limits);
  server.start();
  Http2Client client(server.port(), false);
  const auto request = [&](const std::string& path) {
    return client.request({{":method", "GET"}, {":scheme", "http"}, {":authority", "t"}, {":path", path}}, true);
  };
  request("/");
  const int32_t small = request("/small");
  client.grant(small, 1000);
  EXPECT_EQ(client.wait(small).headers[":status"], "200");
}

TEST(Http2Flood, AHeadOfManyFramesIsServed) {
  TestServer server(hello);
  server.start();
  Http2Client client(server.port());
  Http2Client::Headers headers = {{":method", "GET"}, {":scheme", "http"}, {":authority", "t"}, {":path", "/"}};
  for (int i = 0; i < 60; ++i)
    headers.emplace_back("x-" + std::to_string(i), std::string(900, static_cast<char>('!' + i)));
  EXPECT_EQ(client.wait(client.request(headers, true)).headers[":status"], "200");
}

TEST(Http2Flood, TooManyHeadersAreAnswered) {
  Limits limits;
  limits.header_count = 20;
  TestServer server(hello, limits);
  server.methods().add("/t.T/M", unary_method([](const std::shared_ptr<GrpcCall>& call, Bytes) { call->reply({}); }));
  server.start();
  Http2Client client(server.port());
  Http2Client::Headers many;
  for (int i = 0; i < 21; ++i) many.emplace_back("x-" + std::to_string(i), "v");
  Http2Client::Headers headers = {{":method", "GET"}, {":scheme", "http"}, {":authority", "t"}, {":path", "/"}};
  headers.insert(headers.end(), many.begin(), many.end());
  const auto& http = client.wait(client.request(headers, true));
  EXPECT_EQ(http.headers.at(":status"), "431");
  EXPECT_THAT(http.body, HasSubstr("limit of 20 (--max-headers)"));
  const int32_t id = client.grpc("/t.T/M", many);
  client.data(id, framed("x"), true);
  const auto& grpc = client.wait(id);
  EXPECT_EQ(grpc.headers.at("grpc-status"), "8");
  EXPECT_THAT(grpc.headers.at("grpc-message"), HasSubstr("--max-headers"));
  EXPECT_THAT(server.metrics().render(), HasSubstr("limit=\"headers\"} 2"));
}

}  // namespace
}  // namespace modelmill::wire
