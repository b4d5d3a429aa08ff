#include "wire/wire_counters.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>
#include <string>

#include "wire/testing/http2_client.h"

namespace modelmill::wire {
namespace {

using ::testing::HasSubstr;

/// A server on which "/hold" is not answered.
class WireCountersTest : public ::testing::Test {
 protected:
  WireCountersTest() {
    server_.methods().add("/t.T/Hold", unary_method([this](const std::shared_ptr<GrpcCall>& call, const Bytes&) {
                            call_ = call;
                            call_held_.set_value();
                          }));
    server_.start();
  }
  void handle(const std::shared_ptr<HttpExchange>& exchange) {
    if (exchange->request().path != "/hold") return exchange->reply(HttpReply::text(200, "text/plain", "hello"));
    exchange->on_abandoned([this] { abandoned_.set_value(); });
    held_.set_value(exchange);
  }
  /// Waits until the loop has done what is under way, also what it leaves to the end of its turn.
  void turn() {
    struct End final : Flushable {
      void flush() override { done.set_value(); }
      std::promise<void> done;
    };
    const auto end = std::make_shared<End>();
    Loop& loop = *server_.loops().loops()[0];
    loop.post([&] { loop.flush_at_turn_end(end); });
    end->done.get_future().wait();
  }
  std::string metrics() { return server_.metrics().render(); }

  std::shared_ptr<GrpcCall> call_;
  std::promise<void> call_held_;
  std::promise<std::shared_ptr<HttpExchange>> held_;
  std::promise<void> abandoned_;
  TestServer server_{[this](const std::shared_ptr<HttpExchange>& exchange) { handle(exchange); }};
};

TEST_F(WireCountersTest, RequestsByProtocol) {
  RawClient client(server_.port());
  for (int i = 0; i < 2; ++i) {
    client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    client.read_reply();
  }
  Http2Client client2(server_.port());
  client2.wait(client2.request({{":method", "GET"}, {":scheme", "http"}, {":authority", "t"}, {":path", "/"}}, true));
  const int32_t id = client2.grpc("/t.T/Hold");
  client2.data(id, framed("x"), true);
  call_held_.get_future().wait();
  turn();
  std::string text = metrics();
  EXPECT_THAT(text, HasSubstr("modelmill_wire_requests_total{protocol=\"http1\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("modelmill_wire_requests_total{protocol=\"http2\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("modelmill_wire_requests_total{protocol=\"grpc\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("modelmill_wire_requests_open{protocol=\"http1\"} 0\n"));
  EXPECT_THAT(text, HasSubstr("modelmill_wire_requests_open{protocol=\"http2\"} 0\n"));
  EXPECT_THAT(text, HasSubstr("modelmill_wire_requests_open{protocol=\"grpc\"} 1\n"));
  server_.loops().loops()[0]->post([this] { call_->finish(ok_status()); });
  client2.wait(id);
  turn();
  text = metrics();
  EXPECT_THAT(text, HasSubstr("modelmill_wire_requests_open{protocol=\"grpc\"} 0\n"));
  call_.reset();
}

TEST_F(WireCountersTest, BytesBothWaysAndClientsThatLeave) {
  const std::string request = "GET /hold HTTP/1.1\r\nHost: x\r\n\r\n";
  {
    RawClient client(server_.port());
    client.send(request);
    held_.get_future().wait();
    EXPECT_THAT(metrics(), HasSubstr("modelmill_wire_requests_open{protocol=\"http1\"} 1\n"));
  }
  abandoned_.get_future().wait();
  turn();
  std::string text = metrics();
  EXPECT_THAT(text, HasSubstr("modelmill_wire_requests_open{protocol=\"http1\"} 0\n"));
  EXPECT_THAT(text, HasSubstr("modelmill_wire_received_bytes_total " + std::to_string(request.size()) + "\n"));
  EXPECT_THAT(text, HasSubstr("modelmill_wire_sent_bytes_total 0\n"));
  EXPECT_THAT(text, HasSubstr("modelmill_wire_connections_closed_total{reason=\"client\"} 1\n"));
  RawClient client(server_.port());
  client.send("GET / HTTP/1.0\r\n\r\n");
  const std::string reply = client.read_to_end();
  client.close();
  server_.server().drain(kNever);
  text = metrics();
  EXPECT_THAT(text, HasSubstr("modelmill_wire_sent_bytes_total " + std::to_string(reply.size()) + "\n"));
  EXPECT_THAT(text, HasSubstr("modelmill_wire_connections_closed_total{reason=\"server\"} 1\n"));
}

}  // namespace
}  // namespace modelmill::wire
