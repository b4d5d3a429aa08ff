#include "wire/request_identity.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "wire/testing/http2_client.h"

namespace modelmill::wire {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

const std::string kTraceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

void hello(const std::shared_ptr<HttpExchange>& exchange) {
  exchange->reply(HttpReply::text(200, "text/plain", exchange->request().trace.present() ? "traced" : "alone"));
}

TEST(RequestIdentity, Http1RepliesCarryIt) {
  TestServer server(hello, {.http_body = 10});
  server.start();
  RawClient client(server.port());
  client.send("GET / HTTP/1.1\r\nHost: x\r\nX-Request-Id: seven\r\nTraceparent: " + kTraceparent + "\r\n\r\n");
  std::string reply = client.read_reply();
  EXPECT_THAT(reply, HasSubstr("x-request-id: seven\r\n"));
  EXPECT_THAT(reply, HasSubstr("traceparent: " + kTraceparent + "\r\n"));
  EXPECT_THAT(reply, HasSubstr("traced"));
  client.send("GET / HTTP/1.1\r\nHost: x\r\nTraceparent: " + kTraceparent + "-x\r\n\r\n");
  reply = client.read_reply();
  EXPECT_THAT(reply, HasSubstr("alone"));
  EXPECT_THAT(reply, Not(HasSubstr("traceparent")));
  EXPECT_THAT(reply, Not(HasSubstr("x-request-id")));
  client.send("POST / HTTP/1.1\r\nHost: x\r\nX-Request-Id: eight\r\nContent-Length: 11\r\n\r\n");
  reply = client.read_reply();
  EXPECT_THAT(reply, HasSubstr("HTTP/1.1 413"));
  EXPECT_THAT(reply, HasSubstr("x-request-id: eight\r\n")) << "refusals too";
}

TEST(RequestIdentity, Http2RepliesCarryIt) {
  TestServer server(hello, {.header_bytes = 500});
  server.start();
  Http2Client client(server.port());
  Http2Client::Headers headers = {{":method", "GET"}, {":scheme", "http"},       {":authority", "t"},
                                  {":path", "/"},     {"x-request-id", "seven"}, {"traceparent", kTraceparent}};
  auto reply = client.wait(client.request(headers, true));
  EXPECT_EQ(reply.body, "traced");
  EXPECT_EQ(reply.headers["x-request-id"], "seven");
  EXPECT_EQ(reply.headers["traceparent"], kTraceparent);
  headers.emplace_back("x-large", std::string(500, 'x'));
  reply = client.wait(client.request(headers, true));
  EXPECT_EQ(reply.headers[":status"], "431");
  EXPECT_EQ(reply.headers["x-request-id"], "seven") << "refusals too";
}

TEST(RequestIdentity, GrpcAnswersCarryIt) {
  TestServer server(hello);
  bool traced = false, timed = false;
  server.methods().add("/t.T/Echo", unary_method([&](const std::shared_ptr<GrpcCall>& call, Bytes message) {
                         traced = call->trace().present();
                         timed = call->asks_timing();
                         call->reply({std::move(message)});
                       }));
  server.start();
  Http2Client client(server.port());
  const auto call = [&](const char* path, const Http2Client::Headers& headers) {
    const int32_t id = client.grpc(path, headers);
    client.data(id, framed("x"), true);
    return client.wait(id);
  };
  auto answer = call("/t.T/Echo", {{"x-request-id", "seven"}, {"traceparent", kTraceparent}, {"x-server-timing", "1"}});
  EXPECT_EQ(answer.headers["grpc-status"], "0");
  EXPECT_EQ(answer.headers["x-request-id"], "seven");
  EXPECT_EQ(answer.headers["traceparent"], kTraceparent);
  EXPECT_TRUE(traced);
  EXPECT_TRUE(timed);
  answer = call("/t.T/Echo", {{"traceparent", "00-0-0-0"}});
  EXPECT_EQ(answer.headers["grpc-status"], "0");
  EXPECT_FALSE(answer.headers.contains("traceparent"));
  EXPECT_FALSE(traced);
  EXPECT_FALSE(timed);
  answer = call("/t.T/Nothing", {{"x-request-id", "eight"}});
  EXPECT_EQ(answer.headers["grpc-status"], "12");
  EXPECT_EQ(answer.headers["x-request-id"], "eight") << "refusals too";
}

}  // namespace
}  // namespace modelmill::wire
