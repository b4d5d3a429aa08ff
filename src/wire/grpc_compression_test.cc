#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>
#include <string>
#include <thread>

#include "runtime/offload.h"
#include "wire/deflate.h"
#include "wire/grpc_encoding.h"
#include "wire/testing/http2_client.h"

namespace modelmill::wire {
namespace {

const Http2Client::Headers kCompressed = {{"grpc-encoding", "gzip"}, {"grpc-accept-encoding", "identity,deflate,gzip"}};
const Http2Client::Headers kAccepting = {{"grpc-accept-encoding", "identity,deflate,gzip"}};

/// What a call for as many bytes as its message has is answered with.
class GrpcCompressionTest : public ::testing::Test {
 protected:
  GrpcCompressionTest() {
    server_.methods().add("/t.T/Echo", unary_method([](const std::shared_ptr<GrpcCall>& call, Bytes message) {
                            call->reply({std::move(message)});
                          }));
    server_.methods().add("/t.T/Elsewhere", unary_method([](const std::shared_ptr<GrpcCall>& call, Bytes message) {
                            std::thread([call, message = std::move(message)] {
                              PackedMessage packed{{message}};
                              call->pack(packed);
                              call->loop().post([call, packed = std::move(packed)]() mutable {
                                call->send_packed(std::move(packed));
                                call->send({Bytes::copy_of("small")});
                                call->finish(ok_status());
                              });
                            }).join();
                          }));
  }
  Http2Client::Stream ask(const char* path, const std::string& message, const Http2Client::Headers& headers) {
    Http2Client client(server_.port());
    const int32_t id = client.grpc(path, headers);
    client.data(id, framed(message), true);
    return client.wait(id);
  }
  /// The first message of a body, whose flag says that it is compressed.
  static std::string inflated(const std::string& body, size_t& length) {
    EXPECT_EQ(body[0], 1);
    length = 0;
    for (size_t i = 1; i < 5; ++i) length = length << 8 | static_cast<uint8_t>(body[i]);
    const auto message = inflate_message(std::as_bytes(std::span(body.data() + 5, length)), 1 << 24);
    return message.ok() ? std::string(message->view()) : message.status().to_string();
  }

  TestServer server_{
      [](const std::shared_ptr<HttpExchange>& exchange) { exchange->reply(HttpReply::text(404, "text/plain", "")); }};
  const std::string large_ = std::string(100'000, 'a') + std::string(100'000, 'b');
};

TEST_F(GrpcCompressionTest, AnswersToCompressedCallsAreCompressed) {
  server_.start();
  size_t length = 0;
  auto answer = ask("/t.T/Echo", large_, kCompressed);
  EXPECT_EQ(answer.headers["grpc-status"], "0");
  EXPECT_EQ(answer.headers["grpc-encoding"], "gzip");
  EXPECT_EQ(inflated(answer.body, length), large_);
  EXPECT_LT(answer.body.size(), 10'000u);
  answer = ask("/t.T/Echo", large_, {{"grpc-encoding", "deflate"}, {"grpc-accept-encoding", "deflate"}});
  EXPECT_EQ(answer.headers["grpc-encoding"], "deflate");
  EXPECT_EQ(inflated(answer.body, length), large_);
  EXPECT_EQ(answer.body[5], 0x78) << "zlib's format";
}

TEST_F(GrpcCompressionTest, ThoseThatWouldGainNothingAreNot) {
  server_.start();
  EXPECT_EQ(ask("/t.T/Echo", "small", kCompressed).body, framed("small"));
  std::string noise;
  for (uint32_t i = 1; noise.size() < 5'000; i = i * 1664525 + 1013904223) noise += static_cast<char>(i >> 24);
  EXPECT_EQ(ask("/t.T/Echo", noise, kCompressed).body, framed(noise));
}

TEST_F(GrpcCompressionTest, OthersAreNot) {
  server_.start();
  for (const Http2Client::Headers& headers :
       {Http2Client::Headers{}, kAccepting, {{"grpc-encoding", "gzip"}}, {{"grpc-encoding", "identity"}}}) {
    auto answer = ask("/t.T/Echo", large_, headers);
    EXPECT_EQ(answer.body, framed(large_));
    EXPECT_FALSE(answer.headers.contains("grpc-encoding"));
  }
}

TEST_F(GrpcCompressionTest, AnyThreadMayPackAndAStreamMayMix) {
  server_.start();
  size_t length = 0;
  const auto answer = ask("/t.T/Elsewhere", large_, kCompressed);
  EXPECT_EQ(inflated(answer.body, length), large_);
  EXPECT_EQ(answer.body.substr(5 + length), framed("small"));
}

TEST_F(GrpcCompressionTest, OffIsOff) {
  server_.methods().set_compression(GrpcCompression::kOff);
  server_.start();
  EXPECT_EQ(ask("/t.T/Echo", large_, kCompressed).body, framed(large_));
}

TEST_F(GrpcCompressionTest, AlwaysIsWhenTheCallerAcceptsIt) {
  server_.methods().set_compression(GrpcCompression::kAlways);
  server_.start();
  size_t length = 0;
  auto answer = ask("/t.T/Echo", large_, kAccepting);
  EXPECT_EQ(answer.headers["grpc-encoding"], "gzip");
  EXPECT_EQ(inflated(answer.body, length), large_);
  EXPECT_EQ(ask("/t.T/Echo", large_, {}).body, framed(large_));
}

/// Messages that are inflated on the one thread of an offload.
class InflatedElsewhere : public GrpcCompressionTest {
 protected:
  /// Keeps each message's bytes, and the thread of the last.
  class Keep final : public WholeMessageHandler {
   public:
    Keep(std::shared_ptr<GrpcCall> call) : call_(std::move(call)) {}
    void on_message(Bytes message) override { sizes_ += std::to_string(message.size()) + message.view()[0] + " "; }
    void on_half_close() override { call_->reply({Bytes::copy_of(sizes_)}); }
    void on_cancel(const Status&) override {}

   private:
    std::shared_ptr<GrpcCall> call_;
    std::string sizes_;
  };

  InflatedElsewhere() {
    server_.options().offload = &offload_;
    server_.methods().add("/t.T/Keep", [](std::shared_ptr<GrpcCall> call) -> std::unique_ptr<GrpcCallHandler> {
      return std::make_unique<Keep>(std::move(call));
    });
  }
  static std::string packed(const std::string& text) {
    const auto deflated = deflate_chunks({Bytes::copy_of(text)}, DeflateFormat::kGzip);
    std::string message = framed(std::string(deflated->view()));
    message[0] = 1;
    return message;
  }
  /// Keeps the thread busy until open() is called.
  void hold() {
    std::promise<void> begun;
    ASSERT_TRUE(offload_.run([&] {
      begun.set_value();
      gate_.get_future().wait();
    }));
    begun.get_future().wait();
  }
  void open() { gate_.set_value(); }

  std::promise<void> gate_;
  Offload offload_{1, 2};
};

TEST_F(InflatedElsewhere, MessagesKeepTheirOrder) {
  server_.start();
  const std::string small = std::string(2000, 's'), none = framed("n");
  const std::string all = packed(large_) + none + packed(small) + packed(large_) + packed(large_) + none;
  for (const size_t piece : {size_t{1}, size_t{7}, all.size()}) {
    Http2Client client(server_.port());
    const int32_t id = client.grpc("/t.T/Keep", kCompressed);
    for (size_t at = 0; at < all.size(); at += piece) client.data(id, all.substr(at, piece), at + piece >= all.size());
    const auto answer = client.wait(id);
    EXPECT_EQ(answer.body, framed("200000a 1n 2000s 200000a 200000a 1n ")) << piece;
  }
}

TEST_F(InflatedElsewhere, TooManyAreRefused) {
  server_.start();
  hold();
  ASSERT_TRUE(offload_.run([] {}));
  ASSERT_TRUE(offload_.run([] {}));
  Http2Client client(server_.port());
  const int32_t id = client.grpc("/t.T/Keep", kCompressed);
  client.data(id, packed(large_), true);
  EXPECT_EQ(client.wait(id).headers["grpc-status"], "14");
  open();
}

TEST_F(InflatedElsewhere, DamageIsTold) {
  server_.start();
  std::string broken = packed(std::string(500'000, 'a') + std::string(3000, 'b'));
  broken[broken.size() - 6] ^= 1;
  Http2Client client(server_.port());
  const int32_t id = client.grpc("/t.T/Keep", kCompressed);
  client.data(id, broken, true);
  const auto answer = client.wait(id);
  EXPECT_EQ(answer.headers.at("grpc-status"), "13");
}

TEST_F(InflatedElsewhere, ACallMayEndMeanwhile) {
  server_.start();
  hold();
  {
    Http2Client client(server_.port());
    const int32_t id = client.grpc("/t.T/Keep", {{"grpc-encoding", "gzip"}, {"grpc-timeout", "1m"}});
    client.data(id, packed(large_), true);
    EXPECT_EQ(client.wait(id).headers["grpc-status"], "4");
  }
  open();
  offload_.stop();
  EXPECT_EQ(ask("/t.T/Echo", "still there", {}).body, framed("still there"));
}

}  // namespace
}  // namespace modelmill::wire
