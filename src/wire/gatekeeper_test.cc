#include "wire/gatekeeper.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <future>

#include "wire/http_text.h"
#include "wire/testing/http2_client.h"
#include "wire/testing/test_server.h"

namespace modelmill::wire {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

/// Lets in who says "let me in", on at most one errand at a time.
class Doorman final : public Gatekeeper {
 public:
  std::optional<HttpReply> admit(HttpRequest& request, std::unique_ptr<Ticket>& ticket) override {
    request.reply_headers.emplace_back("x-door", "seen");
    if (request.header("x-please") != "let me in") return error_reply(401, "not without a please");
    if (inside >= 1) return error_reply(429, "one at a time");
    ticket = std::make_unique<Stay>(inside);
    return std::nullopt;
  }
  Status admit(const GrpcCallHead& call, std::unique_ptr<Ticket>& ticket, GrpcMetadata& trailers) override {
    group = call.group;
    if (call.header("x-please") != "let me in") {
      trailers.emplace_back("x-hint", "say please");
      return Status(Code::kUnauthenticated, "not without a please");
    }
    if (inside >= 1) return resource_exhausted("one at a time");
    ticket = std::make_unique<Stay>(inside);
    return ok_status();
  }

  std::atomic<int> inside{0};
  std::atomic<ApiGroup> group{ApiGroup::kManagement};

 private:
  class Stay final : public Ticket {
   public:
    explicit Stay(std::atomic<int>& inside) : inside_(inside) { ++inside_; }
    ~Stay() override { --inside_; }

   private:
    std::atomic<int>& inside_;
  };
};

constexpr std::string_view kPlease =
    "POST /hello HTTP/1.1\r\nhost: h\r\nx-please: let me in\r\ncontent-length: 0\r\n\r\n";

void hello(const std::shared_ptr<HttpExchange>& exchange) {
  exchange->reply(HttpReply::text(200, "text/plain", "hello " + std::to_string(exchange->request().body.size())));
}

/// A server behind a doorman; the handler must not see what he turned away.
struct Guarded {
  explicit Guarded(HttpHandler handler = hello) : server(std::move(handler)) { server.options().gatekeeper = doorman; }
  std::shared_ptr<Doorman> doorman = std::make_shared<Doorman>();
  TestServer server;
};

TEST(Gatekeeper, RefusesAnHttp1RequestAndTheConnectionGoesOn) {
  Guarded guarded;
  guarded.server.start();
  RawClient client(guarded.server.port());
  client.send("POST /hello HTTP/1.1\r\nhost: h\r\ncontent-length: 5\r\n\r\nabc");
  const std::string refused = client.read_reply();  // before its body is there
  EXPECT_THAT(refused, HasSubstr("HTTP/1.1 401 "));
  EXPECT_THAT(refused, HasSubstr("not without a please"));
  EXPECT_THAT(refused, HasSubstr("\r\nx-door: seen\r\n"));
  EXPECT_THAT(refused, Not(HasSubstr("connection: close")));
  client.send("de" + std::string(kPlease));
  const std::string answer = client.read_reply();
  EXPECT_THAT(answer, HasSubstr("hello 0"));
  EXPECT_THAT(answer, HasSubstr("\r\nx-door: seen\r\n"));
}

TEST(Gatekeeper, RefusesPipelinedRequestsInTheirOrder) {
  Guarded guarded;
  guarded.server.start();
  RawClient client(guarded.server.port());
  client.send(std::string(kPlease) + "POST /hello HTTP/1.1\r\nhost: h\r\ncontent-length: 3\r\n\r\nabc" +
              std::string(kPlease));
  EXPECT_THAT(client.read_reply(), HasSubstr(" 200 "));
  EXPECT_THAT(client.read_reply(), HasSubstr(" 401 "));
  EXPECT_THAT(client.read_reply(), HasSubstr(" 200 "));
}

TEST(Gatekeeper, DoesNotAskForABodyThatIsNotWanted) {
  Guarded guarded;
  guarded.server.start();
  for (const char* framing :
       {"content-length: 10\r\nexpect: 100-continue", "transfer-encoding: chunked", "content-length: 99999999999"}) {
    RawClient client(guarded.server.port());
    client.send("POST /hello HTTP/1.1\r\nhost: h\r\n" + std::string(framing) + "\r\n\r\n");
    const std::string reply = client.read_to_end();
    EXPECT_THAT(reply, testing::StartsWith("HTTP/1.1 401 ")) << framing;
    EXPECT_THAT(reply, HasSubstr("connection: close")) << framing;
  }
}

TEST(Gatekeeper, RefusesAnHttp2RequestBeforeItsBody) {
  Guarded guarded;
  guarded.server.start();
  Http2Client client(guarded.server.port());
  Http2Client::Headers headers = {{":method", "POST"}, {":scheme", "http"}, {":authority", "h"}, {":path", "/hello"}};
  const int32_t refused = client.request(headers, false);
  EXPECT_EQ(client.wait(refused).headers[":status"], "401");
  EXPECT_EQ(client.streams[refused].headers["x-door"], "seen");
  headers.emplace_back("x-please", "let me in");
  EXPECT_EQ(client.wait(client.request(headers, true)).headers[":status"], "200");
}

/// A reset right behind the reply makes curl forget the reply.
TEST(Gatekeeper, LetsAShortHttp2BodyRunOut) {
  Guarded guarded;
  guarded.server.start();
  Http2Client client(guarded.server.port());
  Http2Client::Headers headers = {
      {":method", "POST"}, {":scheme", "http"}, {":authority", "h"}, {":path", "/hello"}, {"content-length", "5"}};
  const int32_t refused = client.request(headers, false);
  client.wait_for_body(refused, 1);
  EXPECT_EQ(client.streams[refused].headers[":status"], "401");
  const int32_t other =
      client.request({{":method", "GET"}, {":scheme", "http"}, {":authority", "h"}, {":path", "/"}}, true);
  client.wait(other);  // whatever the server had to say of the first has come by now
  EXPECT_FALSE(client.streams[refused].ended);
  client.data(refused, "hello", true);
  EXPECT_EQ(client.wait(refused).error, 0u);
  headers.back().second = "2000000";
  EXPECT_TRUE(client.wait(client.request(headers, false)).ended);
}

TEST(Gatekeeper, RefusesAGrpcCall) {
  Guarded guarded;
  guarded.server.methods().add("/t.T/Echo", unary_method([](const std::shared_ptr<GrpcCall>& call, Bytes message) {
                                 Chunks chunks;
                                 chunks.push_back(std::move(message));
                                 call->reply(std::move(chunks));
                               }),
                               ApiGroup::kMetrics);
  guarded.server.start();
  Http2Client client(guarded.server.port());
  Http2Client::Headers headers = {{":method", "POST"},
                                  {":scheme", "http"},
                                  {":authority", "h"},
                                  {":path", "/t.T/Echo"},
                                  {"content-type", "application/grpc"},
                                  {"te", "trailers"}};
  const int32_t refused = client.request(headers, false);
  Http2Client::Stream& stream = client.wait(refused);
  EXPECT_EQ(stream.headers["grpc-status"], "16");
  EXPECT_EQ(stream.headers["grpc-message"], "not without a please");
  EXPECT_EQ(stream.headers["x-hint"], "say please");
  EXPECT_EQ(guarded.doorman->group, ApiGroup::kMetrics);
  headers.emplace_back("x-please", "let me in");
  const int32_t let_in = client.request(headers, false);
  client.data(let_in, framed("hi"), true);
  EXPECT_EQ(client.wait(let_in).headers["grpc-status"], "0");
  EXPECT_EQ(guarded.doorman->inside, 0);
}

/// A ticket is held until the reply has been made...
TEST(Gatekeeper, ATicketLastsUntilTheAnswer) {
  std::promise<std::shared_ptr<HttpExchange>> asked;
  Guarded guarded([&](std::shared_ptr<HttpExchange> exchange) { asked.set_value(std::move(exchange)); });
  guarded.server.start();
  RawClient first(guarded.server.port());
  first.send(kPlease);
  const std::shared_ptr<HttpExchange> exchange = asked.get_future().get();
  RawClient second(guarded.server.port());
  second.send(kPlease);
  EXPECT_THAT(second.read_reply(), HasSubstr("one at a time"));
  exchange->loop().post([exchange] { hello(exchange); });
  EXPECT_THAT(first.read_reply(), HasSubstr("hello"));
  EXPECT_EQ(guarded.doorman->inside, 0);  // although the exchange itself is still held
}

/// ... and where the client went away, until the work has ended, so that hanging up gains nobody a place.
TEST(Gatekeeper, ATicketOutlastsAClientThatHangsUp) {
  std::promise<std::shared_ptr<HttpExchange>> asked;
  std::promise<void> abandoned;
  Guarded guarded([&](std::shared_ptr<HttpExchange> exchange) {
    exchange->on_abandoned([&] { abandoned.set_value(); });
    asked.set_value(std::move(exchange));
  });
  guarded.server.start();
  RawClient client(guarded.server.port());
  client.send(kPlease);
  std::shared_ptr<HttpExchange> exchange = asked.get_future().get();
  client.close();
  abandoned.get_future().get();
  EXPECT_EQ(guarded.doorman->inside, 1);
  Loop& loop = exchange->loop();
  std::promise<void> dropped;
  loop.post([exchange = std::move(exchange), &dropped]() mutable {
    exchange.reset();
    dropped.set_value();
  });
  dropped.get_future().get();
  EXPECT_EQ(guarded.doorman->inside, 0);
}

}  // namespace
}  // namespace modelmill::wire
