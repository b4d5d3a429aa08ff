#include "client/http_client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/write.hpp>
#include <string>
#include <thread>
#include <vector>

namespace modelmill {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using ::testing::HasSubstr;

/// A server that gives each connection its script: one answer for every request head it reads, then closes.
class ScriptedServer {
 public:
  explicit ScriptedServer(std::vector<std::vector<std::string>> connections)
      : acceptor_(context_, tcp::endpoint(asio::ip::address_v4::loopback(), 0)),
        thread_([this, connections = std::move(connections)] { serve(connections); }) {}
  ~ScriptedServer() { thread_.join(); }

  BaseUrl url() const { return {"127.0.0.1", acceptor_.local_endpoint().port(), ""}; }
  /// After the client is done: the request heads in the order they came.
  const std::vector<std::string>& heads() const { return heads_; }

 private:
  void serve(const std::vector<std::vector<std::string>>& connections) {
    for (const auto& answers : connections) {
      tcp::socket socket = acceptor_.accept();
      std::string data;
      boost::system::error_code error;
      for (const std::string& answer : answers) {
        const size_t n = asio::read_until(socket, asio::dynamic_buffer(data), "\r\n\r\n", error);
        if (error) break;
        heads_.push_back(data.substr(0, n));
        data.erase(0, n);
        asio::write(socket, asio::buffer(answer), error);
      }
    }
  }

  asio::io_context context_;
  tcp::acceptor acceptor_;
  std::vector<std::string> heads_;
  std::thread thread_;
};

std::string ok_answer(const std::string& body) {
  return "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) + "\r\nX-Test: Yes\r\n\r\n" + body;
}

TEST(HttpClient, KeepsItsConnection) {
  ScriptedServer server({{ok_answer("one"), ok_answer("two")}});
  HttpClient client(server.url());
  const auto first = client.get("/a");
  ASSERT_TRUE(first.ok()) << first.status().to_string();
  EXPECT_EQ(first->status, 200);
  EXPECT_EQ(first->body, "one");
  EXPECT_EQ(first->header("x-test"), "Yes");
  EXPECT_EQ(first->header("x-none"), "");
  const auto second = client.get("/b");
  ASSERT_TRUE(second.ok());
  EXPECT_EQ(second->body, "two");
}

TEST(HttpClient, ReconnectsWhenAnIdleConnectionWasClosed) {
  ScriptedServer server({{ok_answer("one")}, {ok_answer("two")}});
  HttpClient client(server.url());
  ASSERT_TRUE(client.get("/").ok());
  const auto second = client.get("/");
  ASSERT_TRUE(second.ok()) << second.status().to_string();
  EXPECT_EQ(second->body, "two");
}

TEST(HttpClient, AnHttpErrorIsAReply) {
  ScriptedServer server({{"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno"}});
  HttpClient client(server.url());
  const auto reply = client.get("/missing");
  ASSERT_TRUE(reply.ok());
  EXPECT_EQ(reply->status, 404);
  EXPECT_EQ(reply->body, "no");
}

TEST(HttpClient, ReadsChunkedAnswers) {
  ScriptedServer server({{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"}});
  HttpClient client(server.url());
  const auto reply = client.get("/");
  ASSERT_TRUE(reply.ok()) << reply.status().to_string();
  EXPECT_EQ(reply->body, "abcde");
}

TEST(HttpClient, SaysThatNobodyListens) {
  asio::io_context context;
  tcp::socket taken(context, tcp::endpoint(asio::ip::address_v4::loopback(), 0));  // it listens to nobody
  HttpClient client({"127.0.0.1", taken.local_endpoint().port(), ""});
  const auto reply = client.get("/");
  ASSERT_FALSE(reply.ok());
  EXPECT_EQ(reply.status().code(), Code::kUnavailable);
  EXPECT_THAT(reply.status().message(), HasSubstr("cannot reach a server at http://127.0.0.1:"));
}

TEST(HttpClient, SaysThatTheServerHungUp) {
  ScriptedServer server({{"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort"}});
  HttpClient client(server.url());
  const auto reply = client.get("/");
  ASSERT_FALSE(reply.ok());
  EXPECT_EQ(reply.status().code(), Code::kUnavailable);
  EXPECT_THAT(reply.status().message(), HasSubstr("closed the connection"));
}

TEST(HttpClient, RefusesWhatIsNotHttp) {
  ScriptedServer server({{"SSH-2.0-OpenSSH\r\n\r\n"}});
  HttpClient client(server.url());
  const auto reply = client.get("/");
  ASSERT_FALSE(reply.ok());
  EXPECT_THAT(reply.status().message(), HasSubstr("cannot be read"));
}

TEST(HttpClient, RefusesAnAnswerAboveItsLimit) {
  ScriptedServer server({{ok_answer(std::string(100, 'x'))}});
  HttpClient::Options options;
  options.max_reply_bytes = 50;
  HttpClient client(server.url(), options);
  const auto reply = client.get("/");
  ASSERT_FALSE(reply.ok());
  EXPECT_EQ(reply.status().code(), Code::kResourceExhausted);
}

TEST(HttpClient, CutsAnAnswerAtItsLimitWhereThatIsEnough) {
  ScriptedServer server({{ok_answer(std::string(100'000, 'x')),
                          "HTTP/1.1 503 Busy\r\nContent-Length: 100\r\n\r\n" + std::string(100, 'y'), ok_answer("z")}});
  HttpClient::Options options;
  options.max_reply_bytes = 50;
  options.cut_replies = true;
  HttpClient client(server.url(), options);
  for (const auto& [status, body] : {std::pair(200, std::string(50, 'x')), {503, std::string(50, 'y')}, {200, "z"}}) {
    const auto reply = client.get("/");
    ASSERT_TRUE(reply.ok()) << reply.status().to_string();
    EXPECT_EQ(reply->status, status);
    EXPECT_EQ(reply->body, body);
  }
}

TEST(HttpClient, NamesWhatSaysWhoIsTrusted) {
  HttpClient::Options options;
  options.ca_file = "/nowhere/ca.pem";
  options.ca_setting = "SOME_SETTING";
  BaseUrl url{"127.0.0.1", 1, ""};
  url.tls = true;
  const auto reply = HttpClient(url, options).get("/");
  EXPECT_EQ(reply.status().code(), Code::kInvalidArgument);
  EXPECT_THAT(reply.status().message(), HasSubstr("SOME_SETTING: '/nowhere/ca.pem' has no certificate in PEM"));
}

TEST(HttpClient, StopsWaitingForASilentServer) {
  asio::io_context context;
  tcp::acceptor silent(context, tcp::endpoint(asio::ip::address_v4::loopback(), 0));  // accepts by backlog only
  HttpClient::Options options;
  options.call_timeout = std::chrono::milliseconds(20);
  HttpClient client({"127.0.0.1", silent.local_endpoint().port(), ""}, options);
  const auto reply = client.get("/");
  ASSERT_FALSE(reply.ok());
  EXPECT_EQ(reply.status().code(), Code::kDeadlineExceeded);
}

TEST(HttpClient, GivesTheBodyOfASuccessToTheSink) {
  ScriptedServer server({{ok_answer("one"), "HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno"}});
  HttpClient client(server.url());
  std::string taken;
  const HttpClient::Sink sink = [&](const ClientReply& head, std::string_view piece) {
    EXPECT_EQ(head.status, 200);
    EXPECT_EQ(head.header("x-test"), "Yes");
    taken += piece;
    return ok_status();
  };
  const auto found = client.call("GET", "/", {}, {}, sink);
  ASSERT_TRUE(found.ok()) << found.status().to_string();
  EXPECT_EQ(taken, "one");
  EXPECT_EQ(found->body, "");
  const auto missing = client.call("GET", "/", {}, {}, sink);
  ASSERT_TRUE(missing.ok());
  EXPECT_EQ(missing->body, "no");
  EXPECT_EQ(taken, "one");
}

TEST(HttpClient, OnlyWhatIsKeptIsBounded) {
  const std::string large(100, 'x');
  ScriptedServer server({{ok_answer(large), "HTTP/1.1 404 Not Found\r\nContent-Length: 100\r\n\r\n" + large}});
  HttpClient::Options options;
  options.max_reply_bytes = 50;
  HttpClient client(server.url(), options);
  size_t taken = 0;
  const HttpClient::Sink sink = [&](const ClientReply&, std::string_view piece) {
    taken += piece.size();
    return ok_status();
  };
  EXPECT_TRUE(client.call("GET", "/", {}, {}, sink).ok());
  EXPECT_EQ(taken, 100u);
  EXPECT_EQ(client.call("GET", "/", {}, {}, sink).status().code(), Code::kResourceExhausted);
}

TEST(HttpClient, EndsWithWhatTheSinkSays) {
  ScriptedServer server({{ok_answer("one")}, {ok_answer("two")}});
  HttpClient client(server.url());
  const auto refused = client.call(
      "GET", "/", {}, {}, [](const ClientReply&, std::string_view) { return resource_exhausted("the disk is full"); });
  EXPECT_EQ(refused.status(), resource_exhausted("the disk is full"));
  const auto next = client.get("/");  // on a new connection, past what was not read
  ASSERT_TRUE(next.ok()) << next.status().to_string();
  EXPECT_EQ(next->body, "two");
}

TEST(HttpClient, DoesNotBearSilenceForAsLongAsACallMayTake) {
  asio::io_context context;
  tcp::acceptor silent(context, tcp::endpoint(asio::ip::address_v4::loopback(), 0));
  HttpClient::Options options;
  options.stall_timeout = std::chrono::milliseconds(20);
  HttpClient client({"127.0.0.1", silent.local_endpoint().port(), ""}, options);
  const auto reply = client.get("/");
  EXPECT_EQ(reply.status().code(), Code::kDeadlineExceeded);
  EXPECT_THAT(reply.status().message(), HasSubstr("was silent for 20 ms"));
}

TEST(HttpClient, AsksAProxyForTheWholeUrl) {
  std::vector<std::string> heads;
  {
    ScriptedServer proxy({{ok_answer("one")}});
    HttpClient::Options options;
    options.proxy = proxy.url();
    options.proxy_credentials = "Basic eDp5";
    HttpClient client({"models.example", 80, ""}, options);
    ASSERT_TRUE(client.get("/a").ok());
    heads = proxy.heads();
  }
  ASSERT_EQ(heads.size(), 1u);
  EXPECT_THAT(heads[0], HasSubstr("GET http://models.example:80/a HTTP/1.1\r\n"));
  EXPECT_THAT(heads[0], HasSubstr("Host: models.example\r\n"));
  EXPECT_THAT(heads[0], HasSubstr("Proxy-Authorization: Basic eDp5\r\n"));
}

TEST(HttpClient, SaysThatTheProxyMakesNoTunnel) {
  std::vector<std::string> heads;
  {
    ScriptedServer proxy({{"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno"}});
    HttpClient::Options options;
    options.proxy = proxy.url();
    HttpClient client({"models.example", 443, "", true}, options);
    const auto reply = client.get("/a");
    EXPECT_EQ(reply.status().code(), Code::kUnavailable);
    EXPECT_THAT(reply.status().message(), HasSubstr("makes no tunnel"));
    heads = proxy.heads();
  }
  ASSERT_EQ(heads.size(), 1u);
  EXPECT_THAT(heads[0], HasSubstr("CONNECT models.example:443 HTTP/1.1\r\n"));
}

TEST(HttpClient, PutsThePrefixBeforeEveryPath) {
  std::vector<std::string> heads;
  {
    ScriptedServer server({{ok_answer("")}});
    BaseUrl url = server.url();
    url.prefix = "/models";
    HttpClient client(url);
    ASSERT_TRUE(client.call("POST", "/v2", {{"Accept", "text/csv"}}, {}).ok());
    heads = server.heads();
  }
  ASSERT_EQ(heads.size(), 1u);
  EXPECT_THAT(heads[0], HasSubstr("POST /models/v2 HTTP/1.1\r\n"));
  EXPECT_THAT(heads[0], HasSubstr("Accept: text/csv\r\n"));
}

}  // namespace
}  // namespace modelmill
