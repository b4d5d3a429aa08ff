#include "wire/grpc.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zlib.h>

#include <future>
#include <string>
#include <vector>

#include "wire/testing/http2_client.h"

namespace modelmill::wire {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

void no_http(const std::shared_ptr<HttpExchange>& exchange) { exchange->reply(HttpReply::text(404, "text/plain", "")); }

GrpcMethodFactory echo() {
  return unary_method([](const std::shared_ptr<GrpcCall>& call, Bytes message) { call->reply({std::move(message)}); });
}

/// Tells the test what happens to a call, and answers nothing by itself.
struct Watched {
  std::shared_ptr<GrpcCall> call;
  std::vector<std::string> events;
  std::promise<void> began, cancelled, destroyed;
  std::function<void()> on_message;
};

class WatchedHandler final : public GrpcCallHandler {
 public:
  explicit WatchedHandler(Watched& watched) : watched_(watched) { watched_.began.set_value(); }
  ~WatchedHandler() override { watched_.destroyed.set_value(); }
  void on_message_begin(size_t length) override { watched_.events.push_back("begin " + std::to_string(length)); }
  void on_message_bytes(std::span<const std::byte> bytes) override { received_ += bytes.size(); }
  void on_message_end() override {
    watched_.events.push_back("end " + std::to_string(received_));
    received_ = 0;
    if (watched_.on_message) watched_.on_message();
  }
  void on_half_close() override { watched_.events.push_back("half-close"); }
  void on_cancel(const Status& reason) override {
    watched_.events.push_back("cancel " + std::string(code_name(reason.code())));
    watched_.cancelled.set_value();
  }

 private:
  Watched& watched_;
  size_t received_ = 0;
};

GrpcMethodFactory watched(Watched& watched) {
  return [&watched](std::shared_ptr<GrpcCall> call) {
    watched.call = std::move(call);
    return std::make_unique<WatchedHandler>(watched);
  };
}

void on_loop(TestServer& server, std::function<void()> task) {
  std::promise<void> done;
  server.loops().loops()[0]->post([&] {
    task();
    done.set_value();
  });
  done.get_future().wait();
}

TEST(Grpc, UnaryEcho) {
  TestServer server(no_http);
  server.methods().add("/t.T/Echo", echo());
  server.start();
  Http2Client client(server.port());
  for (const size_t size : {0u, 1u, 100u, 70'000u, 3'000'000u}) {
    const int32_t id = client.grpc("/t.T/Echo");
    const std::string message(size, 'm');
    client.data(id, framed(message), true);
    const auto& reply = client.wait(id);
    EXPECT_EQ(reply.headers.at(":status"), "200");
    EXPECT_EQ(reply.headers.at("content-type"), "application/grpc");
    EXPECT_EQ(reply.headers.at("grpc-status"), "0");
    EXPECT_EQ(reply.body, framed(message)) << size;
    EXPECT_EQ(reply.error, 0u);
  }
}

TEST(Grpc, CallsThatAreRefusedAtOnce) {
  Limits limits;
  limits.grpc_message = 1000;
  limits.header_bytes = 4000;
  TestServer server(no_http, limits);
  server.methods().add("/t.T/Echo", echo());
  server.start();
  Http2Client client(server.port());
  struct Case {
    std::string path;
    Http2Client::Headers headers;
    std::string body;
    std::string status, message;
  };
  const std::vector<Case> cases = {
      {"/t.T/Nope", {}, framed(""), "12", "unknown method '/t.T/Nope'"},
      {"/t.T/Echo", {{"grpc-encoding", "br"}}, framed(""), "12", "grpc-encoding 'br'"},
      {"/t.T/Echo", {{"grpc-timeout", "soon"}}, framed(""), "3", "grpc-timeout 'soon'"},
      {"/t.T/Echo", {}, framed(std::string(1001, 'x')), "8", "message of 1001 bytes is larger than the limit of 1000"},
      {"/t.T/Echo", {}, framed("x", 1), "13", "no grpc-encoding"},
      {"/t.T/Echo", {{"grpc-encoding", "gzip"}}, framed("xyz", 1), "13", "can't be inflated"},
      {"/t.T/Echo", {}, "\1\2", "13", "inside a message"},
      {"/t.T/Echo", {}, "", "13", "no message"},
      {"/t.T/Echo", {{"a", std::string(5000, 'x')}}, framed(""), "8", "limit of 4000"},
  };
  for (const Case& c : cases) {
    const int32_t id = client.grpc(c.path, c.headers);
    client.data(id, c.body, true);
    const auto& reply = client.wait(id);
    EXPECT_EQ(reply.headers.at(":status"), "200");
    EXPECT_EQ(reply.headers.at("grpc-status"), c.status) << c.message;
    EXPECT_THAT(reply.headers.at("grpc-message"), HasSubstr(c.message));
  }
  const int32_t id = client.grpc("/t.T/Echo", {{"grpc-encoding", "br"}});
  EXPECT_EQ(client.wait(id).headers.at("grpc-accept-encoding"), "identity,deflate,gzip");
  EXPECT_EQ(client.wait(id).error, 0u);  // the client was told that it need not send the rest
}

TEST(Grpc, OtherContentTypesAndMethods) {
  TestServer server(no_http);
  server.methods().add("/t.T/Echo", echo());
  server.start();
  Http2Client client(server.port());
  const auto ask = [&](const std::string& method, const std::string& type) {
    const int32_t id = client.request(
        {{":method", method}, {":scheme", "http"}, {":authority", "t"}, {":path", "/t.T/Echo"}, {"content-type", type}},
        true);
    return client.wait(id).headers;
  };
  EXPECT_EQ(ask("GET", "application/grpc")[":status"], "405");
  EXPECT_EQ(ask("POST", "application/grpc+json")["grpc-status"], "12");
  EXPECT_EQ(ask("POST", "application/grpc-web")[":status"], "404");       // the HTTP handler's
  EXPECT_EQ(ask("POST", "application/grpc+proto")["grpc-status"], "13");  // no message
}

TEST(Grpc, CompressedRequests) {
  Limits limits;
  limits.grpc_message = 100'000;
  TestServer server(no_http, limits);
  server.methods().add("/t.T/Echo", echo());
  server.start();
  Http2Client client(server.port());
  for (const auto& [size, status] : std::vector<std::pair<size_t, std::string>>{{100'000, "0"}, {100'001, "8"}}) {
    const std::string plain(size, 'p');
    std::string packed(1000, '\0');
    uLongf packed_size = packed.size();
    ASSERT_EQ(::compress(reinterpret_cast<Bytef*>(packed.data()), &packed_size,
                         reinterpret_cast<const Bytef*>(plain.data()), plain.size()),
              Z_OK);
    packed.resize(packed_size);
    const int32_t id = client.grpc("/t.T/Echo", {{"grpc-encoding", "deflate"}});
    client.data(id, framed(packed, 1), true);
    const auto& reply = client.wait(id);
    EXPECT_EQ(reply.headers.at("grpc-status"), status);
    EXPECT_EQ(reply.body, status == "0" ? framed(plain) : "");
  }
}

TEST(Grpc, MetadataAndTrailers) {
  TestServer server(no_http);
  GrpcMetadata seen;
  server.methods().add(
      "/t.T/Meta", unary_method([&](const std::shared_ptr<GrpcCall>& call, Bytes) {
        seen = call->metadata();
        EXPECT_EQ(call->method(), "/t.T/Meta");
        EXPECT_THAT(call->peer(), StartsWith("127.0.0.1:"));
        EXPECT_EQ(call->deadline(), kNever);
        call->finish(invalid_argument("50% of it\nis bad"), {{"X-Trace", "t"}, {"d-bin", std::string("\0\1", 2)}});
        call->finish(ok_status());
        call->send({});
      }));
  server.start();
  Http2Client client(server.port());
  const int32_t id =
      client.grpc("/t.T/Meta", {{"x-a", "1"}, {"x-bin", "AAE="}, {"y-bin", "AA,AQ"}, {"grpc-accept-encoding", "gzip"}});
  client.data(id, framed("x"), true);
  const auto& reply = client.wait(id);
  EXPECT_EQ(reply.headers.at("grpc-status"), "3");
  EXPECT_EQ(reply.headers.at("grpc-message"), "50%25 of it%0Ais bad");
  EXPECT_EQ(reply.headers.at("x-trace"), "t");
  EXPECT_EQ(reply.headers.at("d-bin"), "AAE");
  EXPECT_EQ(reply.header_blocks, 1);  // trailers only
  EXPECT_EQ(seen,
            (GrpcMetadata{
                {"x-a", "1"}, {"x-bin", std::string("\0\1", 2)}, {"y-bin", std::string(1, '\0')}, {"y-bin", "\1"}}));
}

TEST(Grpc, InitialMetadata) {
  TestServer server(no_http);
  server.methods().add("/t.T/Reply", unary_method([](const std::shared_ptr<GrpcCall>& call, Bytes message) {
                         call->add_header("X-Id", "7\n8");
                         call->add_header("d-bin", std::string("\0\1", 2));
                         call->add_header("content-length", "1");
                         call->send({std::move(message)});
                         call->add_header("late", "x");
                         call->finish(ok_status(), {{"t", "u"}});
                       }));
  server.methods().add("/t.T/Fail", unary_method([](const std::shared_ptr<GrpcCall>& call, const Bytes&) {
                         call->add_header("x-id", "7");
                         call->finish(not_found("nothing"));
                       }));
  server.start();
  Http2Client client(server.port());
  const int32_t replied = client.grpc("/t.T/Reply");
  client.data(replied, framed("x"), true);
  auto headers = client.wait(replied).headers;
  EXPECT_EQ(headers.at("x-id"), "7 8");
  EXPECT_EQ(headers.at("d-bin"), "AAE");
  EXPECT_EQ(headers.at("t"), "u");
  EXPECT_FALSE(headers.contains("content-length"));
  EXPECT_FALSE(headers.contains("late"));
  EXPECT_EQ(client.streams[replied].header_blocks, 2);
  const int32_t failed = client.grpc("/t.T/Fail");
  client.data(failed, framed("x"), true);
  headers = client.wait(failed).headers;
  EXPECT_EQ(headers.at("x-id"), "7");
  EXPECT_EQ(headers.at("grpc-status"), "5");
  EXPECT_EQ(client.streams[failed].header_blocks, 1);
}

TEST(Grpc, ResetCancels) {
  TestServer server(no_http);
  Watched w;
  server.methods().add("/t.T/Watch", watched(w));
  server.start();
  Http2Client client(server.port());
  const int32_t id = client.grpc("/t.T/Watch", {{"k", "v"}});
  client.data(id, framed("abc"), false);
  w.began.get_future().wait();
  client.reset(id);
  w.cancelled.get_future().wait();
  w.destroyed.get_future().wait();
  on_loop(server, [&] {
    w.call->send({Bytes::copy_of("late")});
    w.call->reply({});
    w.call->finish(ok_status());
    w.call->pause_reading(true);
    w.call->pause_reading(false);
    EXPECT_EQ(w.call->unsent_bytes(), 0u);
    EXPECT_EQ(w.call->metadata(), (GrpcMetadata{{"k", "v"}}));
  });
  EXPECT_EQ(w.events, (std::vector<std::string>{"begin 3", "end 3", "cancel CANCELLED"}));
}

TEST(Grpc, AResetAtTheDeadlineIsTheDeadlines) {
  for (const auto& [timeout, reason] : {std::pair("10m", "cancel DEADLINE_EXCEEDED"), {"10H", "cancel CANCELLED"}}) {
    Watched w;
    const std::string path = std::string("/t.T/") + timeout;
    TestServer server(no_http);
    server.methods().add(path, watched(w));
    server.start();
    Http2Client client(server.port());
    const int32_t id = client.grpc(path, {{"grpc-timeout", timeout}});
    w.began.get_future().wait();
    client.reset(id);
    w.destroyed.get_future().wait();
    on_loop(server, [] {});
    EXPECT_EQ(w.events.back(), reason);
  }
}

TEST(Grpc, ConnectionLossCancels) {
  TestServer server(no_http);
  Watched w;
  server.methods().add("/t.T/Watch", watched(w));
  server.start();
  {
    Http2Client client(server.port());
    client.data(client.grpc("/t.T/Watch"), framed("abc"), true);
    w.began.get_future().wait();
    client.close();
  }
  w.destroyed.get_future().wait();
  on_loop(server, [] {});
  EXPECT_EQ(w.events.back(), "cancel CANCELLED");
}

TEST(Grpc, DeadlineEndsTheCall) {
  TestServer server(no_http);
  Watched w;
  server.methods().add("/t.T/Watch", watched(w));
  server.start();
  Http2Client client(server.port());
  const int32_t id = client.grpc("/t.T/Watch", {{"grpc-timeout", "5m"}});
  client.data(id, framed("abc"), true);
  const auto& reply = client.wait(id);
  EXPECT_EQ(reply.headers.at("grpc-status"), "4");
  w.destroyed.get_future().wait();
  on_loop(server, [] {});
  EXPECT_LT(w.call->deadline(), Clock::now());
  EXPECT_EQ(w.events.back(), "cancel DEADLINE_EXCEEDED");
}

TEST(Grpc, StreamedRepliesWaitForTheClientsWindow) {
  TestServer server(no_http);
  Watched w;
  std::promise<size_t> unsent;
  w.on_message = [&] {
    w.call->send({Bytes::copy_of(std::string(200'000, 'a'))});
    w.call->send({Bytes::copy_of("b")});
  };
  server.methods().add("/t.T/Watch", watched(w));
  server.start();
  Http2Client client(server.port(), false);
  const int32_t id = client.grpc("/t.T/Watch");
  client.data(id, framed("go"), true);
  client.wait_for_body(id, 65'535);
  on_loop(server, [&] { EXPECT_EQ(w.call->unsent_bytes(), 200'011u - 65'535u); });
  client.grant(id, 1'000'000);
  client.wait_for_body(id, 200'011);
  on_loop(server, [&] {
    EXPECT_EQ(w.call->unsent_bytes(), 0u);
    w.call->finish(ok_status());
  });
  EXPECT_EQ(client.wait(id).headers.at("grpc-status"), "0");
  EXPECT_EQ(client.wait(id).body, framed(std::string(200'000, 'a')) + framed("b"));
}

TEST(Grpc, PausedCallsHoldTheirClientBackButNotOthers) {
  TestServer server(no_http);
  Watched w;
  server.methods().add("/t.T/Watch", watched(w));
  server.methods().add("/t.T/Echo", echo());
  server.start();
  Http2Client client(server.port());
  const int32_t paused = client.grpc("/t.T/Watch");
  w.began.get_future().wait();
  on_loop(server, [&] { w.call->pause_reading(true); });
  // More than a stream's window: the sender gets stuck until the call is resumed.
  std::thread resumer([&] { on_loop(server, [&] { w.call->pause_reading(false); }); });
  std::string large;
  large.resize(9'000'000, 'x');
  client.data(paused, framed(large), true);
  resumer.join();
  const int32_t other = client.grpc("/t.T/Echo");
  client.data(other, framed("hello"), true);
  EXPECT_EQ(client.wait(other).body, framed("hello"));
  on_loop(server, [&] { w.call->finish(ok_status()); });
  EXPECT_EQ(client.wait(paused).headers.at("grpc-status"), "0");
  EXPECT_EQ(w.events, (std::vector<std::string>{"begin 9000000", "end 9000000", "half-close"}));
}

}  // namespace
}  // namespace modelmill::wire
