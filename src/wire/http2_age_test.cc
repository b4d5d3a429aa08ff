#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <future>
#include <memory>
#include <string>
#include <thread>

#include "wire/testing/http2_client.h"

namespace modelmill::wire {
namespace {

using namespace std::chrono_literals;
using ::testing::EndsWith;
using ::testing::HasSubstr;

constexpr char kGet[] = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
constexpr char kAged[] = "modelmill_wire_refused_total{limit=\"age\"} 1\n";

void hello(const std::shared_ptr<HttpExchange>& exchange) {
  exchange->reply(HttpReply::text(200, "text/plain", "hello"));
}

/// Old enough for a first message on a slow machine.
constexpr std::chrono::milliseconds kAge = 2s;

/// Nothing but their age ends connections.
Limits aging(std::chrono::milliseconds age, std::chrono::milliseconds grace) {
  Limits limits;
  limits.idle_timeout = limits.header_timeout = limits.stall_timeout = 0ms;
  limits.connection_age = age;
  limits.connection_age_grace = grace;
  return limits;
}

/// Answers each message with itself; a call that is cut is told.
GrpcMethodFactory echo_stream(std::promise<void>* cut = nullptr) {
  class Echo final : public WholeMessageHandler {
   public:
    Echo(std::shared_ptr<GrpcCall> call, std::promise<void>* cut) : call_(std::move(call)), cut_(cut) {}
    void on_message(Bytes message) override { call_->send({std::move(message)}); }
    void on_half_close() override { call_->finish(ok_status()); }
    void on_cancel(const Status&) override {
      if (cut_ != nullptr) cut_->set_value();
    }

   private:
    std::shared_ptr<GrpcCall> call_;
    std::promise<void>* const cut_;
  };
  return [cut](std::shared_ptr<GrpcCall> call) { return std::make_unique<Echo>(std::move(call), cut); };
}

TEST(Http2Age, AnOldConnectionIsToldToGoAndServedToTheEnd) {
  TestServer server(hello, aging(kAge, 0ms));
  server.methods().add("/t.T/Echo", echo_stream());
  server.start();
  Http2Client client(server.port());
  const int32_t id = client.grpc("/t.T/Echo");
  client.data(id, framed("one"), false);
  client.wait_for_body(id, framed("one").size());
  ASSERT_EQ(client.streams[id].body, framed("one"));
  while (client.goaways == 0) ASSERT_TRUE(client.receive()) << "it is not cut";
  client.data(id, framed("two"), true);
  EXPECT_EQ(client.wait(id).body, framed("one") + framed("two"));
  EXPECT_EQ(client.wait(id).headers["grpc-status"], "0");
  client.receive_to_end();  // ends
  EXPECT_THAT(server.metrics().render(), HasSubstr(kAged));
}

TEST(Http2Age, WhatGoesOnBeyondTheGraceIsCut) {
  std::promise<void> cut;
  TestServer server(hello, aging(kAge, 40ms));
  server.methods().add("/t.T/Echo", echo_stream(&cut));
  server.start();
  Http2Client client(server.port());
  const int32_t id = client.grpc("/t.T/Echo");
  client.data(id, framed("one"), false);
  client.wait_for_body(id, framed("one").size());
  ASSERT_EQ(client.streams[id].body, framed("one"));
  client.receive_to_end();
  EXPECT_GE(client.goaways, 1);
  EXPECT_EQ(client.streams[id].headers.count("grpc-status"), 0U) << "nobody has finished it";
  EXPECT_EQ(cut.get_future().wait_for(1min), std::future_status::ready);
}

TEST(Http2Age, TheGraceIsNotThatOfAServersEnd) {
  constexpr auto kGrace = 20ms;
  TestServer server(hello, aging(1h, kGrace));
  server.methods().add("/t.T/Echo", echo_stream());
  server.start();
  Http2Client client(server.port());
  const int32_t id = client.grpc("/t.T/Echo");
  client.data(id, framed("one"), false);
  client.wait_for_body(id, framed("one").size());
  auto drained = std::async(std::launch::async, [&] { server.server().drain(Clock::now() + 1min); });
  while (client.goaways == 0) ASSERT_TRUE(client.receive());
  std::this_thread::sleep_for(20 * kGrace);
  client.data(id, framed("two"), true);
  EXPECT_EQ(client.wait(id).body, framed("one") + framed("two"));
  EXPECT_EQ(client.wait(id).headers["grpc-status"], "0");
  client.receive_to_end();
  client.close();
  EXPECT_EQ(drained.wait_for(2min), std::future_status::ready);
  EXPECT_THAT(server.metrics().render(), ::testing::Not(HasSubstr(kAged)));
}

TEST(Http2Age, ConnectionsOfHttp1LiveOn) {
  TestServer server(hello, aging(40ms, 0ms));
  server.start();
  RawClient http1(server.port());
  http1.send(kGet);
  EXPECT_THAT(http1.read_reply(), EndsWith("hello"));
  Http2Client http2(server.port());
  http2.receive_to_end();
  http1.send(kGet);
  EXPECT_THAT(http1.read_reply(), EndsWith("hello"));
  EXPECT_THAT(server.metrics().render(), HasSubstr(kAged));
}

}  // namespace
}  // namespace modelmill::wire
