#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>
#include <memory>
#include <string>
#include <vector>

#include "wire/http_text.h"
#include "wire/testing/test_server.h"

namespace modelmill::wire {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

/// Says what it got: "METHOD path?query body".
void describe(const std::shared_ptr<HttpExchange>& exchange) {
  const HttpRequest& request = exchange->request();
  std::string text = request.method + " " + request.path + "?" + request.query + " ";
  text += request.body.view();
  exchange->reply(HttpReply::text(200, "text/plain", text));
}

std::string get(std::string_view path, std::string_view more = "") {
  return "GET " + std::string(path) + " HTTP/1.1\r\nHost: x\r\n" + std::string(more) + "\r\n";
}

TEST(Http1, KeepAliveAndTargets) {
  TestServer server(describe);
  server.start();
  RawClient client(server.port());
  client.send(get("/a/b%20c?x=1&y=2"));
  EXPECT_THAT(client.read_reply(),
              AllOf(StartsWith("HTTP/1.1 200 OK\r\n"), HasSubstr("\r\ncontent-type: text/plain\r\n"),
                    EndsWith("GET /a/b%20c?x=1&y=2 "), Not(HasSubstr("connection:"))));
  client.send(get("http://host:80/abs?q"));
  EXPECT_THAT(client.read_reply(), EndsWith("GET /abs?q "));
  client.send(get("http://host"));
  EXPECT_THAT(client.read_reply(), EndsWith("GET /? "));
  client.send(get("/last", "Connection: close\r\n"));
  EXPECT_THAT(client.read_to_end(), AllOf(HasSubstr("\r\nconnection: close\r\n"), EndsWith("GET /last? ")));
}

TEST(Http1, AStreamedReplyWithoutBodyHasNone) {
  TestServer server([](const std::shared_ptr<HttpExchange>& exchange) {
    HttpReply head;
    head.status = 204;
    exchange->begin(std::move(head));
    exchange->write({Bytes::unowned("not to be seen")});
    exchange->end();
  });
  server.start();
  RawClient client(server.port());
  client.send(get("/") + get("/", "Connection: close\r\n"));
  const std::string replies = client.read_to_end();
  EXPECT_THAT(replies, AllOf(StartsWith("HTTP/1.1 204 No Content\r\n"), EndsWith("\r\n\r\n"), Not(HasSubstr("seen"))));
}

TEST(Http1, BytesMayArriveOneByOne) {
  TestServer server(describe);
  server.start();
  RawClient client(server.port());
  const std::string all =
      "\r\nPOST /p HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhelloPOST /c HTTP/1.1\r\nHost: x\r\n"
      "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n4;ext=1\r\ndefg\r\n0\r\nTrailer: t\r\n\r\n"
      "POST /e HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" +
      get("/g");
  for (const char c : all) client.send({&c, 1});
  EXPECT_THAT(client.read_reply(), EndsWith("POST /p? hello"));
  EXPECT_THAT(client.read_reply(), EndsWith("POST /c? abcdefg"));
  EXPECT_THAT(client.read_reply(), EndsWith("POST /e? "));
  EXPECT_THAT(client.read_reply(), EndsWith("GET /g? "));
}

TEST(Http1, BodiesOfManySizesComeWholeAndAligned) {
  TestServer server([](const std::shared_ptr<HttpExchange>& exchange) {
    const Bytes& body = exchange->request().body;
    if (reinterpret_cast<uintptr_t>(body.data()) % kAlignment != 0)
      return exchange->reply(error_reply(500, "unaligned"));
    HttpReply reply;
    reply.body.push_back(body);
    exchange->reply(std::move(reply));
  });
  server.start();
  RawClient client(server.port());
  for (const size_t size : {1u, 100u, 4095u, 4096u, 16384u, 100'000u, 1u << 20, (1u << 20) + 1, 7'000'000u}) {
    std::string body(size, '\0');
    for (size_t i = 0; i < size; ++i) body[i] = static_cast<char>(i * 31 + i / 251);
    std::thread sender([&] {
      client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: " + std::to_string(size) + "\r\n\r\n" + body);
    });
    const std::string reply = client.read_reply();
    sender.join();
    ASSERT_THAT(reply, StartsWith("HTTP/1.1 200 OK"));
    EXPECT_TRUE(reply.ends_with(body)) << size;
  }
}

/// Keeps exchanges; the test answers them.
struct Holder {
  std::vector<std::shared_ptr<HttpExchange>> held;
  std::promise<void> enough;
  size_t wanted;
  HttpHandler handler() {
    return [this](std::shared_ptr<HttpExchange> exchange) {
      held.push_back(std::move(exchange));
      if (held.size() == wanted) enough.set_value();
    };
  }
  explicit Holder(size_t n) : wanted(n) {}
  /// Runs on the loop, waits.
  void on_loop(std::function<void()> task) {
    std::promise<void> done;
    held[0]->loop().post([&] {
      task();
      done.set_value();
    });
    done.get_future().wait();
  }
};

TEST(Http1, PipelinedRepliesLeaveInTheOrderOfTheirRequests) {
  Holder holder(4);
  TestServer server(holder.handler());
  server.start();
  RawClient client(server.port());
  client.send(get("/0") + get("/1") + get("/2") + get("/3"));
  holder.enough.get_future().wait();
  holder.on_loop([&] {
    holder.held[3]->reply(HttpReply::text(200, "text/plain", "three"));
    holder.held[1]->begin(HttpReply::text(200, "text/plain", ""));
    holder.held[1]->write({Bytes::copy_of("one-")});
    EXPECT_GT(holder.held[1]->unsent_bytes(), 0u);
  });
  holder.on_loop([&] { holder.held[0]->reply(HttpReply::text(200, "text/plain", "zero")); });
  EXPECT_THAT(client.read_reply(), EndsWith("zero"));
  EXPECT_THAT(client.read_until("one-\r\n"),
              AllOf(HasSubstr("transfer-encoding: chunked"), EndsWith("\r\n\r\n4\r\none-\r\n")));
  holder.on_loop([&] {
    holder.held[2]->begin(HttpReply::text(200, "text/plain", "two"));
    holder.held[2]->write({Bytes::copy_of("-two")});
    holder.held[2]->end();
    holder.held[1]->write({Bytes::copy_of("more"), Bytes::copy_of("!")});
    holder.held[1]->end();
    holder.held[1]->end();
  });
  EXPECT_EQ(client.read_until("0\r\n\r\n"), "5\r\nmore!\r\n0\r\n\r\n");
  EXPECT_THAT(client.read_until("0\r\n\r\n"), EndsWith("3\r\ntwo\r\n4\r\n-two\r\n0\r\n\r\n"));
  EXPECT_THAT(client.read_reply(), EndsWith("three"));
  holder.on_loop([&] { holder.held.resize(1); });
}

TEST(Http1, NoMoreThanABoundedNumberOfPipelinedRequestsIsInWork) {
  constexpr int kAll = 100;
  std::vector<std::shared_ptr<HttpExchange>> held;
  std::promise<void> full;
  int served = 0;
  bool holding = true;
  TestServer server([&](const std::shared_ptr<HttpExchange>& exchange) {
    if (!holding) {
      ++served;
      return describe(exchange);
    }
    held.push_back(exchange);
    if (held.size() == 32) full.set_value();
  });
  server.start();
  RawClient client(server.port());
  std::string all;
  for (int i = 0; i < kAll; ++i) all += get("/" + std::to_string(i));
  client.send(all);
  full.get_future().wait();
  std::promise<void> done;
  server.loops().loops()[0]->post([&] {
    EXPECT_EQ(held.size(), 32u);
    holding = false;
    for (auto& exchange : held) describe(exchange);
    held.clear();
    done.set_value();
  });
  done.get_future().wait();
  for (int i = 0; i < kAll; ++i) ASSERT_THAT(client.read_reply(), EndsWith("GET /" + std::to_string(i) + "? "));
}

TEST(Http1, ExpectContinue) {
  TestServer server(describe);
  server.start();
  RawClient client(server.port());
  client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_EQ(client.read_until("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
  client.send("abc");
  EXPECT_THAT(client.read_reply(), EndsWith("POST /? abc"));
}

TEST(Http1, Http10) {
  TestServer server([](const std::shared_ptr<HttpExchange>& exchange) {
    if (exchange->request().path != "/stream") return describe(exchange);
    exchange->begin(HttpReply::text(200, "text/plain", "a"));
    exchange->write({Bytes::copy_of("b")});
    exchange->end();
  });
  server.start();
  RawClient keeps(server.port());
  keeps.send("GET /1 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  EXPECT_THAT(keeps.read_reply(), AllOf(HasSubstr("connection: keep-alive"), EndsWith("GET /1? ")));
  keeps.send("GET /stream HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  EXPECT_THAT(keeps.read_to_end(),
              AllOf(HasSubstr("connection: close"), Not(HasSubstr("chunked")), EndsWith("\r\n\r\nab")));
  RawClient plain(server.port());
  plain.send("GET /2 HTTP/1.0\r\n\r\n");
  EXPECT_THAT(plain.read_to_end(), EndsWith("GET /2? "));
}

TEST(Http1, HeadHasTheHeadersOnly) {
  TestServer server(describe);
  server.start();
  RawClient client(server.port());
  client.send("HEAD /h HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_THAT(client.read_until("\r\n\r\n"), HasSubstr("content-length: 9\r\n"));
  client.send(get("/g", "Connection: close\r\n"));
  EXPECT_THAT(client.read_to_end(), AllOf(StartsWith("HTTP/1.1 200"), EndsWith("GET /g? ")));
}

TEST(Http1, RepliesWithoutBodyAndHeadersThatAreTheWires) {
  TestServer server([](const std::shared_ptr<HttpExchange>& exchange) {
    HttpReply reply = HttpReply::text(204, "text/plain", "ignored");
    reply.headers = {
        {"Content-Length", "99"}, {"Connection", "upgrade"}, {"X-A", "b\r\nInjected: 1"}, {"bad name", "x"}};
    exchange->reply(std::move(reply));
  });
  server.start();
  RawClient client(server.port());
  client.send(get("/"));
  const std::string head = client.read_until("\r\n\r\n");
  EXPECT_THAT(head, AllOf(StartsWith("HTTP/1.1 204 No Content\r\n"), HasSubstr("X-A: b  Injected: 1\r\n"),
                          Not(HasSubstr("99")), Not(HasSubstr("upgrade")), Not(HasSubstr("bad name"))));
  client.send(get("/"));
  EXPECT_THAT(client.read_until("\r\n\r\n"), StartsWith("HTTP/1.1 204"));
}

TEST(Http1, BadRequestsAreAnsweredAndTheConnectionEnds) {
  Limits limits;
  limits.header_bytes = 2000;
  limits.http_body = 1000;
  TestServer server(describe, limits);
  server.start();
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"nonsense\r\n\r\n", "400"},
      {"GET / HTTP/1.1\r\n\r\n", "400"},
      {"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "400"},
      {"GET / HTTP/3.7\r\nHost: a\r\n\r\n", "505"},
      {"GET / HTTP/1.1\r\nHost: a\r\nBad Header: 1\r\n\r\n", "400"},
      {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n", "400"},
      {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n", "400"},
      {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", "400"},
      {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "400"},
      {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1001\r\n\r\n", "413"},
      {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999999\r\n\r\n", "400"},
      {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n200\r\n" + std::string(512, 'x') +
           "\r\n200\r\n",
       "413"},
      {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n", "4"},
      {get("/", "X: " + std::string(2500, 'x') + "\r\n"), "431"},
      {"GET /" + std::string(5000, 'x'), "431"},
      {"POST / HTTP/1.1\r\nHost: a\r\nContent-Type: application/grpc\r\nContent-Length: 5\r\n\r\n", "505"},
  };
  for (const auto& [bytes, status] : cases) {
    RawClient client(server.port());
    client.send(bytes + "more that will never be read");
    const std::string reply = client.read_to_end();
    EXPECT_THAT(reply,
                AllOf(StartsWith("HTTP/1.1 " + status), HasSubstr("connection: close"), HasSubstr("{\"error\":")))
        << bytes.substr(0, 80);
  }
  RawClient client(server.port());
  client.send(get("/still-there"));
  EXPECT_THAT(client.read_reply(), EndsWith("GET /still-there? "));
  EXPECT_THAT(server.metrics().render(), HasSubstr("modelmill_wire_refused_total{limit=\"body\"} 3"));
}

TEST(Http1, OtherProtocolsAreNotAnsweredInHttp) {
  TestServer server(describe);
  server.start();
  for (const std::string_view line : {"INVALID CONNECTION PREFACE\r\n\r\n", "DESCRIBE rtsp://a/b RTSP/1.0\r\n\r\n"}) {
    RawClient client(server.port());
    client.send(line);
    EXPECT_EQ(client.read_to_end(), "");
    RawClient second(server.port());
    second.send(get("/first"));
    second.send(line);
    EXPECT_THAT(second.read_to_end(), EndsWith("GET /first? "));
  }
}

TEST(Http1, AnErrorWaitsForTheRepliesBeforeIt) {
  Holder holder(1);
  TestServer server(holder.handler());
  server.start();
  RawClient client(server.port());
  client.send(get("/") + "garbage\r\n\r\n");
  holder.enough.get_future().wait();
  holder.on_loop([&] { holder.held[0]->reply(HttpReply::text(200, "text/plain", "first")); });
  EXPECT_THAT(client.read_reply(), EndsWith("first"));
  EXPECT_THAT(client.read_to_end(), StartsWith("HTTP/1.1 400"));
}

TEST(Http1, AClientThatGoesAwayAbandonsItsRequests) {
  Holder holder(2);
  std::promise<void> both;
  int abandoned = 0;
  TestServer server([&](std::shared_ptr<HttpExchange> exchange) {
    exchange->on_abandoned([&] {
      if (++abandoned == 2) both.set_value();
    });
    holder.handler()(std::move(exchange));
  });
  server.start();
  {
    RawClient client(server.port());
    client.send(get("/1") + get("/2"));
    holder.enough.get_future().wait();
  }
  both.get_future().wait();
  holder.on_loop([&] {
    holder.held[0]->reply(HttpReply::text(200, "text/plain", "too late"));
    holder.held[1]->begin({});
    holder.held[1]->write({Bytes::copy_of("x")});
    holder.held[1]->end();
  });
  EXPECT_EQ(abandoned, 2);
}

TEST(Http1, AClientThatMaySendNoMoreIsStillSeenToGoAway) {
  Holder holder(32);
  std::promise<void> all;
  int abandoned = 0;
  TestServer server([&](std::shared_ptr<HttpExchange> exchange) {
    exchange->on_abandoned([&] {
      if (++abandoned == 32) all.set_value();
    });
    holder.handler()(std::move(exchange));
  });
  server.start();
  {
    RawClient client(server.port());
    for (int i = 0; i < 32; ++i) client.send(get("/1"));
    holder.enough.get_future().wait();
  }
  all.get_future().wait();
}

/// An end of sending is taken for the client's end: over TCP the two look the same, and work for nobody costs more.
TEST(Http1, AHalfClosedClientHasGivenUpWhatIsNotAnswered) {
  Holder holder(1);
  std::promise<void> abandoned;
  TestServer server([&](std::shared_ptr<HttpExchange> exchange) {
    exchange->on_abandoned([&] { abandoned.set_value(); });
    holder.handler()(std::move(exchange));
  });
  server.start();
  RawClient client(server.port());
  client.send(get("/1"));
  holder.enough.get_future().wait();
  client.shutdown_write();
  abandoned.get_future().wait();
  EXPECT_EQ(client.read_to_end(), "");
}

TEST(Http1, AHalfClosedClientStillGetsWhatWasAnswered) {
  TestServer server(describe);
  server.start();
  RawClient client(server.port());
  client.send(get("/1"));
  EXPECT_THAT(client.read_reply(), EndsWith("GET /1? "));
  client.shutdown_write();
  EXPECT_EQ(client.read_to_end(), "");
}

}  // namespace
}  // namespace modelmill::wire
