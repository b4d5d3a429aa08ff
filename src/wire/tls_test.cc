#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <thread>

#include "wire/testing/test_certificates.h"
#include "wire/testing/test_server.h"
#include "wire/testing/tls_client.h"
#include "wire/tls_credentials.h"

namespace modelmill::wire {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr char kGet[] = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";

/// Answers with what it was sent, or with "hello".
void echo(const std::shared_ptr<HttpExchange>& exchange) {
  HttpReply reply;
  const Bytes body = exchange->request().body;
  reply.body = {!body.empty() ? body : Bytes::copy_of(exchange->request().tls ? "hello over tls" : "hello")};
  exchange->reply(std::move(reply));
}

class Tls : public testing::Test {
 protected:
  void start(TlsOptions options = {}, Limits limits = {}) {
    options.certificate = files_.certificate;
    options.key = files_.key;
    auto credentials = TlsCredentials::load(options);
    ASSERT_TRUE(credentials.ok()) << credentials.status().to_string();
    credentials_ = *credentials;
    server_ = std::make_unique<TestServer>(echo, limits);
    server_->options().tls = credentials_;
    server_->start();
  }
  uint16_t port() const { return server_->port(); }
  /// The value of a series of handshakes.
  std::string handshakes(const std::string& result, const std::string& version = "") const {
    const std::string page = server_->metrics().render();
    const std::string series =
        "modelmill_wire_tls_handshakes_total{result=\"" + result + "\",version=\"" + version + "\"} ";
    const size_t at = page.find(series);
    if (at == std::string::npos) return "none";
    return page.substr(at + series.size(), page.find('\n', at) - at - series.size());
  }

  /// A client has its alert before the server has counted it.
  void wait_until_failed(const std::string& count) const {
    while (handshakes("failed") != count) std::this_thread::yield();
  }

  TestCertificates certificates_;
  const TestCertificates::Files files_ = certificates_.sign("server");
  std::shared_ptr<TlsCredentials> credentials_;
  std::unique_ptr<TestServer> server_;
};

TEST_F(Tls, ServesBothVersionsAndEndsWithCloseNotify) {
  start();
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    TlsClient client(port(), {.max_version = version});
    ASSERT_TRUE(client.shake_hands()) << client.failure();
    client.send(kGet);
    EXPECT_THAT(client.read_reply(), EndsWith("hello over tls"));
    client.send("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    EXPECT_THAT(client.read_to_end(), EndsWith("hello over tls"));
    EXPECT_TRUE(client.ended_cleanly()) << client.failure();
  }
  EXPECT_EQ(handshakes("ok", "TLSv1.2"), "1");
  EXPECT_EQ(handshakes("ok", "TLSv1.3"), "1");
  EXPECT_EQ(handshakes("failed"), "0");
}

TEST_F(Tls, RefusesOldVersionsAndSaysSo) {
  start();
  TlsClient old(port(), {.max_version = TLS1_1_VERSION});
  EXPECT_FALSE(old.shake_hands());
  EXPECT_EQ(old.failure(), "tlsv1 alert protocol version");
  wait_until_failed("1");
}

TEST_F(Tls, TheLeastVersionCanBeRaised) {
  start({.min_version = TlsOptions::Version::k13});
  TlsClient old(port(), {.max_version = TLS1_2_VERSION});
  EXPECT_FALSE(old.shake_hands());
  TlsClient fresh(port(), {});
  EXPECT_TRUE(fresh.shake_hands()) << fresh.failure();
}

TEST_F(Tls, AlpnChoosesAndNeverGuesses) {
  start();
  const std::pair<const char*, const char*> cases[] = {
      {"h2,http/1.1", "h2"}, {"http/1.1,h2", "h2"}, {"http/1.1", "http/1.1"}, {"", ""}};
  for (const auto& [offered, chosen] : cases) {
    TlsClient client(port(), {.alpn = offered});
    ASSERT_TRUE(client.shake_hands()) << offered;
    EXPECT_EQ(client.protocol(), chosen) << offered;
  }
  TlsClient none(port(), {.alpn = "h3,spdy/1"});
  EXPECT_FALSE(none.shake_hands());
  EXPECT_EQ(none.failure(), "tlsv1 alert no application protocol");

  TlsClient liar(port(), {.alpn = "h2"});
  ASSERT_TRUE(liar.shake_hands());
  liar.send(kGet);
  EXPECT_THAT(liar.read_to_end(), testing::Not(HasSubstr("HTTP/1.1"))) << "it has agreed to HTTP/2";
}

TEST_F(Tls, LargeBodiesGoBothWaysWhateverTheirPieces) {
  start();
  TlsClient client(port(), {});
  ASSERT_TRUE(client.shake_hands());
  for (const size_t size : {1ul, 16'384ul, 16'385ul, 300'000ul, 5'000'000ul}) {
    std::string body(size, '\0');
    for (size_t i = 0; i < size; ++i) body[i] = static_cast<char>('a' + i * 7 % 26);
    client.send("POST / HTTP/1.1\r\nHost: x\r\ncontent-length: " + std::to_string(size) + "\r\n\r\n" + body);
    const std::string reply = client.read_reply();
    EXPECT_TRUE(reply.ends_with("\r\n\r\n" + body)) << size;
  }
}

/// The server can't write on, and goes on where it was: mostly in the middle of a record.
TEST_F(Tls, AReplyThatTheClientTakesLateIsWhole) {
  start();
  TlsClient client(port(), {});
  ASSERT_TRUE(client.shake_hands());
  const std::string body(32 << 20, 'b');  // more than the sockets hold
  client.send("POST / HTTP/1.1\r\nHost: x\r\ncontent-length: " + std::to_string(body.size()) + "\r\n\r\n" + body);
  EXPECT_TRUE(client.read_reply().ends_with("\r\n\r\n" + body));
}

TEST_F(Tls, SessionsResume) {
  start();
  TlsClient first(port(), {});
  ASSERT_TRUE(first.shake_hands());
  first.send(kGet);
  first.read_reply();  // its tickets have come before it
  SSL_SESSION* session = SSL_get1_session(first.ssl());
  TlsClient second(port(), {.resume = session});
  ASSERT_TRUE(second.shake_hands());
  EXPECT_EQ(SSL_session_reused(second.ssl()), 1);
  second.send(kGet);
  EXPECT_THAT(second.read_reply(), EndsWith("hello over tls"));
  SSL_SESSION_free(session);
}

TEST_F(Tls, AClientsCertificateIsRequiredOrRequested) {
  const auto known = certificates_.sign("client");
  TestCertificates others;
  const auto stranger = others.sign("stranger");
  const auto served = [this](const TestCertificates::Files& files, int version) {
    TlsClient client(port(), {.certificate = files.certificate, .key = files.key, .max_version = version});
    if (!client.shake_hands()) return false;  // in 1.3 a client learns of its refusal when it reads
    client.send(kGet);
    return client.read_reply().ends_with("hello over tls");
  };
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    start({.client_ca = certificates_.ca()});
    EXPECT_TRUE(served(known, version));
    EXPECT_FALSE(served(stranger, version));
    EXPECT_FALSE(served({}, version));
    wait_until_failed("2");
    start({.client_ca = certificates_.ca(), .client_certificate = TlsOptions::ClientCertificate::kRequest});
    EXPECT_TRUE(served(known, version));
    EXPECT_FALSE(served(stranger, version));
    EXPECT_TRUE(served({}, version));
  }
}

TEST_F(Tls, ARefusedClientSeesWhy) {
  start({.client_ca = certificates_.ca()});
  TlsClient client(port(), {});
  if (client.shake_hands()) {
    client.send(kGet);
    client.read_available();
  }
  EXPECT_THAT(client.failure(), HasSubstr("certificate required"));
}

TEST_F(Tls, ASilentClientIsLetGo) {
  Limits limits;
  limits.tls_handshake_timeout = std::chrono::milliseconds(20);
  start({}, limits);
  RawClient silent(port());
  EXPECT_EQ(silent.read_to_end(), "");
  RawClient slow(port());
  slow.send("\x16\x03\x01");  // a record's beginning
  EXPECT_EQ(slow.read_to_end(), "");
  EXPECT_EQ(handshakes("timeout"), "2");
}

TEST_F(Tls, PlainHttpIsNotAnswered) {
  start();
  RawClient plain(port());
  plain.send(kGet);
  EXPECT_THAT(plain.read_to_end(), testing::Not(HasSubstr("HTTP")));
  EXPECT_EQ(handshakes("failed"), "1");
}

TEST_F(Tls, WhoSaysNothingHasFailedAtNothing) {
  start();
  { RawClient check(port()); }
  TlsClient client(port(), {});
  ASSERT_TRUE(client.shake_hands());
  client.send(kGet);
  client.read_reply();
  while (server_->loops().least_busy().connections_approx() > 1) std::this_thread::yield();
  EXPECT_EQ(handshakes("failed"), "0");
}

TEST_F(Tls, NewConnectionsGetTheNewCertificate) {
  start();
  TlsClient before(port(), {});
  ASSERT_TRUE(before.shake_hands());
  const auto renewed = certificates_.sign("renewed");
  std::filesystem::rename(renewed.certificate, files_.certificate);
  std::filesystem::rename(renewed.key, files_.key);
  ASSERT_TRUE(credentials_->reload().ok());
  TlsClient after(port(), {});
  ASSERT_TRUE(after.shake_hands());
  EXPECT_EQ(before.server_name(), "server");
  EXPECT_EQ(after.server_name(), "renewed");
  before.send(kGet);
  EXPECT_THAT(before.read_reply(), EndsWith("hello over tls"));
}

TEST_F(Tls, AnEndpointIsTlsOrPlain) {
  start();
  server_ = std::make_unique<TestServer>(echo);
  server_->options().tls = credentials_;
  server_->options().endpoints = {*parse_endpoint("127.0.0.1:0"), *parse_endpoint("http://127.0.0.1:0"),
                                  *parse_endpoint("https://127.0.0.1:0")};
  server_->start();
  const auto& bound = server_->server().endpoints();
  EXPECT_THAT(url_text(bound[0]), StartsWith("https://"));
  EXPECT_THAT(url_text(bound[1]), StartsWith("http://"));
  EXPECT_THAT(url_text(bound[2]), StartsWith("https://"));
  RawClient plain(bound[1].port);
  plain.send(kGet);
  EXPECT_THAT(plain.read_reply(), EndsWith("hello"));
  TlsClient secure(bound[2].port, {});
  EXPECT_TRUE(secure.shake_hands());
  TlsClient mistaken(bound[1].port, {});
  EXPECT_FALSE(mistaken.shake_hands());
}

TEST(TlsServer, HttpsNeedsACertificate) {
  LoopPool loops(1);
  GrpcMethods methods;
  MetricRegistry metrics;
  Server::Options options;
  options.endpoints = {*parse_endpoint("https://127.0.0.1:0")};
  Server server(loops, options, echo, methods, metrics);
  EXPECT_THAT(server.listen().message(),
              HasSubstr("https://127.0.0.1:0 needs a certificate; give one with --tls-cert and --tls-key"));
}

}  // namespace
}  // namespace modelmill::wire
