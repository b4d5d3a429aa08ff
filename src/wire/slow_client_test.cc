#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "wire/testing/http2_client.h"
#include "wire/testing/http2_frames.h"

namespace modelmill::wire {
namespace {

using namespace std::chrono_literals;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr int kNoError = 0;
constexpr int kSettingsTimeout = 4;
constexpr int kCancel = 8;
constexpr int kEnhanceYourCalm = 11;
constexpr char kGet[] = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";

void hello(const std::shared_ptr<HttpExchange>& exchange) {
  exchange->reply(HttpReply::text(200, "text/plain", "hello"));
}

/// Nothing a test does between two steps takes as long, on a busy machine neither.
constexpr std::chrono::milliseconds kShort = 500ms;

/// One of the timeouts is short, the others are off.
Limits only(std::chrono::milliseconds Limits::*timeout, std::chrono::milliseconds value = kShort) {
  Limits limits;
  limits.idle_timeout = limits.header_timeout = limits.stall_timeout = 0ms;
  limits.*timeout = value;
  return limits;
}

std::string series(TestServer& server, const std::string& name) {
  const std::string page = server.metrics().render();
  const size_t at = page.find("\n" + name + " ");
  if (at == std::string::npos) return "no such series";
  const size_t value = at + name.size() + 2;
  return page.substr(value, page.find('\n', value) - value);
}

std::string refused(TestServer& server, const std::string& limit) {
  return series(server, "modelmill_wire_refused_total{limit=\"" + limit + "\"}");
}

/// Until the limit has been met, by a client that does nothing itself.
void wait_refused(TestServer& server, const std::string& limit, const std::string& count) {
  for (const TimePoint until = Clock::now() + 60s; refused(server, limit) != count;) {
    ASSERT_LT(Clock::now(), until) << limit;
    std::this_thread::yield();
  }
}

Http2Client::Headers http2_request(const std::string& method, const std::string& path = "/") {
  return {{":method", method}, {":scheme", "http"}, {":authority", "t"}, {":path", path}};
}

TEST(SlowClient, OneThatNeverSaysAWordIsClosed) {
  TestServer server(hello, only(&Limits::header_timeout));
  server.start();
  RawClient silent(server.port());
  RawClient begun(server.port());
  begun.send("PRI * HT");
  EXPECT_EQ(silent.read_to_end(), "");
  EXPECT_EQ(begun.read_to_end(), "");
  EXPECT_EQ(refused(server, "header timeout"), "2");
}

TEST(SlowClient, HalfAHeadIsAnswered408) {
  TestServer server(hello, only(&Limits::header_timeout));
  server.start();
  RawClient first(server.port());
  first.send("GET / HTTP/1.1\r\nHo");
  EXPECT_THAT(first.read_to_end(), AllOf(StartsWith("HTTP/1.1 408 "), HasSubstr("connection: close"),
                                         HasSubstr("after 500/1000 s (--header-timeout)")));
  RawClient later(server.port());
  later.send(std::string(kGet) + "GET /second");
  EXPECT_THAT(later.read_reply(), EndsWith("hello"));
  EXPECT_THAT(later.read_to_end(), StartsWith("HTTP/1.1 408 "));
  RawClient blank(server.port());
  blank.send("\r\n\r\n");
  EXPECT_EQ(blank.read_to_end(), "");
}

/// However it is spread, a head must be complete in time: bytes that come do not prolong it.
TEST(SlowClient, AHeadThatDribblesIsCut) {
  Limits limits = only(&Limits::header_timeout);
  limits.header_bytes = size_t{16} << 20;
  TestServer server(hello, limits);
  server.start();
  RawClient client(server.port());
  client.send("GET / HTTP/1.1\r\na: ");
  std::atomic<bool> ended{false};
  std::thread dribble([&] {
    while (!ended) {
      client.send("b");
      std::this_thread::yield();
    }
  });
  EXPECT_THAT(client.read_until("}"), StartsWith("HTTP/1.1 408 "));
  ended = true;
  dribble.join();
}

TEST(SlowClient, AnHttp2HandshakeThatStopsIsEnded) {
  TestServer server(hello, only(&Limits::header_timeout));
  server.start();
  RawClient client(server.port());
  client.send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
  EXPECT_EQ(goaway_error(client), kSettingsTimeout);
}

TEST(SlowClient, AnHttp2HeadThatStopsIsEnded) {
  TestServer server(hello, only(&Limits::header_timeout));
  server.start();
  RawClient client(server.port());
  client.send(preface() + get_frame(1) + frame(kHeaders, kEndStream, 3, kGetBlock));
  EXPECT_EQ(goaway_error(client), kEnhanceYourCalm);
  EXPECT_EQ(refused(server, "header timeout"), "1");
}

TEST(SlowClient, AnUploadThatStopsIsAnswered408) {
  TestServer server(hello, only(&Limits::stall_timeout));
  server.start();
  const std::string head = "POST / HTTP/1.1\r\nHost: x\r\n";
  for (const std::string rest : {"Content-Length: 100\r\n\r\nabc", "Content-Length: 1000000\r\n\r\nabc",
                                 "Transfer-Encoding: chunked\r\n\r\n5\r\nab"}) {
    RawClient client(server.port());
    client.send(head + rest);
    EXPECT_THAT(client.read_until("\r\n\r\n"), AllOf(StartsWith("HTTP/1.1 408 "), HasSubstr("connection: close")));
    client.send(std::string(100'000, 'x'));  // what comes late goes nowhere
    EXPECT_THAT(client.read_to_end(), HasSubstr("--stall-timeout"));
  }
  EXPECT_EQ(refused(server, "stall"), "3");
}

/// Bytes of a large body may gather before they are read, but from look to look they are seen to move.
TEST(SlowClient, ALargeUploadThatDribblesIsSeenToMove) {
  TestServer server(hello, only(&Limits::header_timeout, 1000ms));
  server.start();
  RawClient client(server.port());
  const std::string head = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n";
  client.send(head);
  for (size_t sent = head.size(), i = 0; i < 3; ++i) {
    client.send(std::string(1000, 'x'));
    sent += 1000;
    for (const TimePoint until = Clock::now() + 60s;
         series(server, "modelmill_wire_received_bytes_total") != std::to_string(sent);) {
      ASSERT_LT(Clock::now(), until) << i;
      std::this_thread::yield();
    }
  }
  client.send(std::string(997'000, 'x'));
  EXPECT_THAT(client.read_reply(), StartsWith("HTTP/1.1 200 "));
}

TEST(SlowClient, AnHttp2UploadThatStopsIsAnswered408AndOthersAreNot) {
  TestServer server(hello, only(&Limits::stall_timeout));
  server.start();
  Http2Client client(server.port());
  const int32_t stopped = client.request(http2_request("POST"), false);
  client.data(stopped, "abc", false);
  EXPECT_EQ(client.wait(stopped).headers[":status"], "408");
  EXPECT_EQ(client.wait(client.request(http2_request("GET"), true)).body, "hello");
}

GrpcMethodFactory echo_stream() {
  class Echo final : public WholeMessageHandler {
   public:
    explicit Echo(std::shared_ptr<GrpcCall> call) : call_(std::move(call)) {}
    void on_message(Bytes message) override { call_->send({std::move(message)}); }
    void on_half_close() override { call_->finish(ok_status()); }
    void on_cancel(const Status&) override {}

   private:
    std::shared_ptr<GrpcCall> call_;
  };
  return [](std::shared_ptr<GrpcCall> call) { return std::make_unique<Echo>(std::move(call)); };
}

TEST(SlowClient, AGrpcMessageThatStopsEndsItsCall) {
  TestServer server(hello, only(&Limits::stall_timeout));
  server.methods().add("/t.T/Echo", echo_stream());
  server.start();
  Http2Client client(server.port());
  const int32_t id = client.grpc("/t.T/Echo");
  client.data(id, framed("whole") + framed("half a message").substr(0, 8), false);
  const auto& stream = client.wait(id);
  EXPECT_EQ(stream.body, framed("whole"));
  EXPECT_EQ(stream.headers.at("grpc-status"), "4");
  EXPECT_THAT(stream.headers.at("grpc-message"), HasSubstr("--stall-timeout"));
}

TEST(SlowClient, IdleConnectionsAreClosed) {
  TestServer server(hello, only(&Limits::idle_timeout));
  server.start();
  RawClient http1(server.port());
  http1.send(kGet);
  http1.read_reply();
  EXPECT_EQ(http1.read_to_end(), "");
  RawClient http2(server.port());
  http2.send(preface() + get_frame(1));
  EXPECT_EQ(goaway_error(http2), kNoError);
  EXPECT_EQ(refused(server, "idle"), "2");
}

/// What waits for us, or for nothing, is never cut: a request in a model's hands, a stream between messages.
/// More than are looked at in one turn; some leave by themselves, between the turns of a look or not.
TEST(SlowClient, ManyIdleConnectionsAreClosedToTheLast) {
  constexpr int kStay = 300;
  TestServer server(hello, only(&Limits::idle_timeout));
  server.start();
  std::vector<std::unique_ptr<RawClient>> stay, leave;
  for (int i = 0; i < kStay; ++i) {
    for (auto* clients : {&stay, &leave}) {
      clients->push_back(std::make_unique<RawClient>(server.port()));
      clients->back()->send(kGet);
    }
    if (i % 7 == 0) leave.clear();
  }
  leave.clear();
  for (auto& client : stay) EXPECT_THAT(client->read_to_end(), EndsWith("hello"));
}

TEST(SlowClient, QuietIsNotSlow) {
  Limits limits;
  limits.idle_timeout = limits.stall_timeout = kShort;
  std::promise<void> two_held;
  std::vector<std::shared_ptr<HttpExchange>> held;
  TestServer server(
      [&](std::shared_ptr<HttpExchange> exchange) {
        if (exchange->request().path == "/") return hello(exchange);
        held.push_back(std::move(exchange));
        if (held.size() == 2) two_held.set_value();
      },
      limits);
  server.methods().add("/t.T/Echo", echo_stream());
  server.start();
  RawClient waiting(server.port());
  waiting.send("GET /hold HTTP/1.1\r\nHost: x\r\n\r\n");
  Http2Client waiting2(server.port());
  const int32_t held_id = waiting2.request(http2_request("GET", "/hold"), true);
  Http2Client quiet(server.port());
  const int32_t id = quiet.grpc("/t.T/Echo");
  quiet.data(id, framed("one"), false);
  quiet.wait_for_body(id, 8);
  two_held.get_future().wait();
  for (int i = 0; i < 3; ++i) {  // each takes longer than the timeouts
    RawClient idle(server.port());
    idle.send(kGet);
    idle.read_to_end();
  }
  EXPECT_EQ(refused(server, "idle"), "3");
  quiet.data(id, framed("two"), true);
  EXPECT_EQ(quiet.wait(id).body, framed("one") + framed("two"));
  EXPECT_EQ(quiet.wait(id).headers["grpc-status"], "0");
  held[0]->loop().post([&] {
    for (auto& exchange : held) hello(exchange);
    held.clear();
  });
  EXPECT_THAT(waiting.read_reply(), EndsWith("hello"));
  EXPECT_EQ(waiting2.wait(held_id).body, "hello");
  EXPECT_EQ(refused(server, "stall"), "0");
}

/// More than the kernel's buffers take.
void large(const std::shared_ptr<HttpExchange>& exchange) {
  static const Bytes body = Bytes::from_string(std::string(size_t{64} << 20, 'x'));
  if (exchange->request().path == "/") return hello(exchange);
  HttpReply reply;
  reply.body.push_back(body);
  exchange->reply(std::move(reply));
}

TEST(SlowClient, AReplyThatIsNotReadIsCut) {
  TestServer server(large, only(&Limits::stall_timeout));
  server.start();
  RawClient http1(server.port());
  http1.send("GET /large HTTP/1.1\r\nHost: x\r\n\r\n");
  RawClient http2(server.port());
  std::string more = settings_frame(4, INT32_MAX) + frame(kWindowUpdate, 0, 0, big_endian(1 << 30));
  http2.send(preface() + more + frame(kHeaders, kEndStream | kEndHeaders, 1, "\x82\x86\x44\x06/large\x41\x01t"));
  wait_refused(server, "stall", "2");
  RawClient next(server.port());
  next.send(kGet);
  EXPECT_THAT(next.read_reply(), EndsWith("hello"));
  http1.read_to_end();  // ends
  http2.read_to_end();
}

TEST(SlowClient, AStreamWithoutAWindowIsResetAndOthersAreServed) {
  TestServer server(hello, only(&Limits::stall_timeout));
  server.start();
  RawClient client(server.port());
  client.send(preface() + settings_frame(4, 0) + get_frame(1));
  const auto reset = read_frame(client, kRstStream);
  ASSERT_TRUE(reset);
  EXPECT_EQ(reset->payload.at(3), kCancel);
  client.send(settings_frame(4, 1000) + get_frame(3));
  const auto data = read_frame(client, kData);
  ASSERT_TRUE(data);
  EXPECT_EQ(data->payload, "hello");
  EXPECT_EQ(refused(server, "stall"), "1");
}

TEST(SlowClient, AConnectionWithoutAWindowIsEnded) {
  TestServer server(large, only(&Limits::stall_timeout));
  server.start();
  RawClient client(server.port());
  client.send(preface() + settings_frame(4, INT32_MAX) +
              frame(kHeaders, kEndStream | kEndHeaders, 1, "\x82\x86\x44\x06/large\x41\x01t"));
  EXPECT_EQ(goaway_error(client), kEnhanceYourCalm);
}

/// Pipelined requests are not even begun while their client does not read the replies of those before them.
TEST(SlowClient, PipelinedRequestsWaitForTheirClientToRead) {
  constexpr int kRequests = 400;
  const Bytes body = Bytes::from_string(std::string(size_t{256} << 10, 'x'));
  std::atomic<int> asked{0};
  TestServer server([&](const std::shared_ptr<HttpExchange>& exchange) {
    if (exchange->request().path == "/") return hello(exchange);
    ++asked;
    HttpReply reply;
    reply.body.push_back(body);
    exchange->reply(std::move(reply));
  });
  server.start();
  RawClient client(server.port());
  std::string bytes;
  for (int i = 0; i < kRequests; ++i) bytes += "GET /x HTTP/1.1\r\nHost: x\r\n\r\n";
  client.send(bytes);
  RawClient other(server.port());
  for (int i = 0; i < 20; ++i) {
    other.send(kGet);
    EXPECT_THAT(other.read_reply(), EndsWith("hello"));
  }
  EXPECT_LT(asked, kRequests / 4);  // the kernel's buffers, and a megabyte
  for (int i = 0; i < kRequests; ++i) ASSERT_EQ(client.read_reply().size() / body.size(), 1u) << i;
  EXPECT_EQ(asked, kRequests);
}

}  // namespace
}  // namespace modelmill::wire
