#include "wire/server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>
#include <string>
#include <vector>

#include "wire/testing/http2_client.h"

namespace modelmill::wire {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

void hello(const std::shared_ptr<HttpExchange>& exchange) {
  exchange->reply(HttpReply::text(200, "text/plain", "hello " + std::string(exchange->request().body.view())));
}

constexpr char kGet[] = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";

Http2Client::Headers http2_request(const std::string& method) {
  return {{":method", method}, {":scheme", "http"}, {":authority", "t"}, {":path", "/p?q"}};
}

TEST(Server, OnePortSpeaksHttp1AndHttp2) {
  TestServer server(hello, {}, 2);
  server.start();
  RawClient http1(server.port());
  Http2Client http2(server.port());
  http1.send(kGet);
  EXPECT_THAT(http1.read_reply(), EndsWith("hello "));
  const int32_t id = http2.request(http2_request("POST"), false);
  http2.data(id, "world", true);
  EXPECT_EQ(http2.wait(id).body, "hello world");
  EXPECT_EQ(http2.wait(id).headers["content-length"], "11");
  EXPECT_THAT(server.metrics().render(), HasSubstr("modelmill_wire_connections_open 2"));
  EXPECT_THAT(server.metrics().render(), HasSubstr("modelmill_wire_connections_total 2"));
}

TEST(Server, ThePrefaceMayArriveInPieces) {
  TestServer server(hello);
  server.start();
  RawClient client(server.port());
  const std::string preface("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0", 33);
  for (const char c : preface) client.send({&c, 1});
  EXPECT_EQ(client.read_exactly(9).substr(3, 2), std::string("\4\0", 2));  // SETTINGS
  RawClient almost(server.port());
  almost.send("P");
  almost.send("RI");
  almost.send("NT / HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_THAT(almost.read_reply(), EndsWith("hello "));
}

TEST(Server, Http2StreamsARepliesInPieces) {
  TestServer server([](const std::shared_ptr<HttpExchange>& exchange) {
    EXPECT_TRUE(exchange->request().http2);
    EXPECT_EQ(exchange->request().header("host"), "t");
    exchange->begin(HttpReply::text(200, "text/event-stream", "a"));
    exchange->write({Bytes::copy_of("b")});
    exchange->loop().post([exchange] {
      exchange->write({Bytes::copy_of("c"), Bytes::copy_of("d")});
      exchange->end();
      exchange->end();
    });
  });
  server.start();
  Http2Client client(server.port());
  const int32_t get = client.request(http2_request("GET"), true);
  EXPECT_EQ(client.wait(get).body, "abcd");
  const int32_t head = client.request(http2_request("HEAD"), true);
  EXPECT_EQ(client.wait(head).body, "");
  EXPECT_EQ(client.wait(head).headers["content-type"], "text/event-stream");
}

TEST(Server, HeadersOfTheRequestsOwnGoOutWithEveryReply) {
  TestServer server([](const std::shared_ptr<HttpExchange>& exchange) {
    exchange->request().reply_headers.emplace_back("X-Request-Id", "a\r\nb");
    hello(exchange);
  });
  server.start();
  RawClient http1(server.port());
  http1.send(kGet);
  EXPECT_THAT(http1.read_reply(), HasSubstr("\r\nX-Request-Id: a  b\r\n"));
  Http2Client http2(server.port());
  EXPECT_EQ(http2.wait(http2.request(http2_request("GET"), true)).headers["x-request-id"], "a  b");
}

TEST(Server, Http2Limits) {
  Limits limits;
  limits.http_body = 1000;
  limits.header_bytes = 3000;
  TestServer server(hello, limits);
  server.start();
  Http2Client client(server.port());
  auto headers = http2_request("POST");
  headers.emplace_back("content-length", "1001");
  const int32_t announced = client.request(headers, false);
  client.wait_for_head(announced);
  EXPECT_EQ(client.streams[announced].headers[":status"], "413");
  client.data(announced, std::string(1001, 'x'), true);
  EXPECT_EQ(client.wait(announced).error, 0u);
  const int32_t id = client.request(http2_request("POST"), false);
  client.data(id, std::string(1001, 'x'), true);
  EXPECT_EQ(client.wait(id).headers[":status"], "413");
  headers = http2_request("GET");
  headers.emplace_back("x", std::string(3500, 'x'));
  EXPECT_EQ(client.wait(client.request(headers, true)).headers[":status"], "431");
  EXPECT_EQ(client.wait(client.request(http2_request("GET"), true)).body, "hello ");
}

TEST(Server, AnHttp2ClientThatGoesAwayAbandonsItsRequests) {
  std::promise<void> in_work, reset, lost;
  std::vector<std::shared_ptr<HttpExchange>> held;
  TestServer server([&](std::shared_ptr<HttpExchange> exchange) {
    exchange->on_abandoned([&, first = held.empty()] { (first ? reset : lost).set_value(); });
    held.push_back(std::move(exchange));
    if (held.size() == 2) in_work.set_value();
  });
  server.start();
  Http2Client client(server.port());
  const int32_t first = client.request(http2_request("GET"), true);
  client.request(http2_request("GET"), true);
  in_work.get_future().wait();
  client.reset(first);
  reset.get_future().wait();
  client.close();
  lost.get_future().wait();
}

TEST(Server, ATakenPortIsAClearError) {
  TestServer first(hello);
  first.start();
  LoopPool loops(1);
  GrpcMethods methods;
  MetricRegistry metrics;
  Server::Options options;
  options.endpoints[0].port = first.port();
  Server second(loops, options, hello, methods, metrics);
  const Status status = second.listen();
  EXPECT_EQ(status.code(), Code::kAlreadyExists);
  EXPECT_THAT(status.message(), HasSubstr("port " + std::to_string(first.port()) + " is taken"));
  EXPECT_THAT(status.message(), HasSubstr("--port"));
}

TEST(Server, BadHostsAreClearErrors) {
  LoopPool loops(1);
  GrpcMethods methods;
  MetricRegistry metrics;
  for (const char* host : {"no.such.host.invalid", "203.0.113.1", "1.2.3.4.5"}) {
    Server::Options options;
    options.endpoints = {{Endpoint::Scheme::kAny, host, 0, ""}};
    Server server(loops, options, hello, methods, metrics);
    const Status status = server.listen();
    EXPECT_EQ(status.code(), Code::kInvalidArgument) << status.to_string();
    EXPECT_THAT(status.message(), HasSubstr(host));
  }
}

TEST(Server, ListensOnNamesAndIpv6) {
  for (const char* host : {"localhost", "::1"}) {
    LoopPool loops(1);
    GrpcMethods methods;
    MetricRegistry metrics;
    Server::Options options;
    options.endpoints = {{Endpoint::Scheme::kAny, host, 0, ""}};
    Server server(loops, options, hello, methods, metrics);
    const Status status = server.listen();
    if (std::string_view(host) == "::1" && status.code() == Code::kInvalidArgument) continue;  // a machine without IPv6
    EXPECT_TRUE(status.ok()) << status.to_string();
    EXPECT_NE(server.port(), 0);
  }
}

TEST(Server, ConnectionsBeyondTheLimitAreTurnedAway) {
  Limits limits;
  limits.connections = 2;
  TestServer server(hello, limits, 2);
  server.start();
  RawClient one(server.port());
  one.send(kGet);
  one.read_reply();
  auto two = std::make_unique<RawClient>(server.port());
  two->send(kGet);
  EXPECT_THAT(two->read_reply(), EndsWith("hello "));
  RawClient three(server.port());
  EXPECT_THAT(three.read_to_end(), AllOf(StartsWith("HTTP/1.1 503 "), HasSubstr("\r\nretry-after: 1\r\n"),
                                         HasSubstr("--max-connections"), EndsWith("}\n")));
  EXPECT_THAT(server.metrics().render(), HasSubstr("modelmill_wire_refused_total{limit=\"connections\"} 1"));
  two.reset();
  while (true) {  // until the server has seen that the second has gone
    RawClient four(server.port());
    four.send(kGet);
    if (four.read_reply().starts_with("HTTP/1.1 200 ")) break;
  }
}

TEST(Server, DrainAnswersWhatIsInFlightAndClosesTheRest) {
  std::promise<void> in_work;
  std::vector<std::shared_ptr<HttpExchange>> held;
  TestServer server([&](std::shared_ptr<HttpExchange> exchange) {
    if (exchange->request().path == "/") return hello(exchange);
    held.push_back(std::move(exchange));
    if (held.size() == 2) in_work.set_value();
  });
  server.start();
  RawClient idle(server.port());
  idle.send(kGet);
  idle.read_reply();
  Http2Client idle2(server.port());
  idle2.receive();
  RawClient busy(server.port());
  busy.send("GET /hold HTTP/1.1\r\nHost: x\r\n\r\n");
  Http2Client busy2(server.port());
  const int32_t id =
      busy2.request({{":method", "GET"}, {":scheme", "http"}, {":authority", "t"}, {":path", "/hold"}}, true);
  in_work.get_future().wait();
  std::thread drainer([&] { server.server().drain(kNever); });
  EXPECT_EQ(idle.read_to_end(), "");
  idle2.receive_to_end();
  EXPECT_GE(idle2.goaways, 1);
  while (busy2.goaways == 0) ASSERT_TRUE(busy2.receive());
  held[0]->loop().post([&] {
    for (auto& exchange : held) exchange->reply(HttpReply::text(200, "text/plain", "finished"));
    held.clear();
  });
  EXPECT_THAT(busy.read_to_end(), AllOf(HasSubstr("connection: close"), EndsWith("finished")));
  EXPECT_EQ(busy2.wait(id).body, "finished");
  busy2.receive_to_end();
  busy.close();
  busy2.close();
  idle2.close();
  drainer.join();
  EXPECT_THAT(server.metrics().render(), HasSubstr("modelmill_wire_connections_open 0"));
}

TEST(Server, ClientsThatAreAskedToLeaveAreServedAndToldSo) {
  TestServer server(hello);
  server.start();
  RawClient client(server.port());
  client.send(kGet);
  EXPECT_THAT(client.read_reply(), Not(HasSubstr("connection: close")));
  Http2Client client2(server.port());
  server.server().ask_to_leave();
  client.send(kGet);
  EXPECT_THAT(client.read_to_end(), AllOf(HasSubstr("connection: close"), EndsWith("hello ")));
  RawClient late(server.port());
  late.send(kGet);
  EXPECT_THAT(late.read_to_end(), AllOf(HasSubstr("connection: close"), EndsWith("hello ")));
  const int32_t id =
      client2.request({{":method", "GET"}, {":scheme", "http"}, {":authority", "t"}, {":path", "/"}}, true);
  EXPECT_EQ(client2.wait(id).body, "hello ");
  EXPECT_EQ(client2.goaways, 0) << "HTTP/2 is told when the drain begins";
}

TEST(Server, DrainCutsWhatIsLeftWhenItsTimeIsUp) {
  std::promise<void> in_work, abandoned;
  std::shared_ptr<HttpExchange> held;
  TestServer server([&](std::shared_ptr<HttpExchange> exchange) {
    exchange->on_abandoned([&] { abandoned.set_value(); });
    held = std::move(exchange);
    in_work.set_value();
  });
  server.start();
  RawClient busy(server.port());
  busy.send(kGet);
  in_work.get_future().wait();
  server.server().drain(Clock::now());
  abandoned.get_future().wait();
  EXPECT_EQ(busy.read_to_end(), "");
}

TEST(Server, GoesDownWithConnectionsOpenWhetherLoopsRunOrNot) {
  for (const bool stop_first : {false, true}) {
    std::promise<void> in_work;
    std::shared_ptr<HttpExchange> held;
    auto server = std::make_unique<TestServer>([&](std::shared_ptr<HttpExchange> exchange) {
      held = std::move(exchange);
      in_work.set_value();
    });
    server->start();
    RawClient busy(server->port());
    RawClient silent(server->port());
    Http2Client http2(server->port());
    http2.receive();
    busy.send(kGet);
    in_work.get_future().wait();
    if (stop_first) server->loops().stop();
    server.reset();
    held.reset();
  }
}

TEST(Server, GarbageAfterThePrefaceEndsTheConnectionOnly) {
  TestServer server(hello);
  server.start();
  RawClient client(server.port());
  client.send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + std::string(3000, '\xee'));
  client.read_to_end();
  RawClient next(server.port());
  next.send(kGet);
  EXPECT_THAT(next.read_reply(), EndsWith("hello "));
}

}  // namespace
}  // namespace modelmill::wire
