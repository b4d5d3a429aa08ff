#include "wire/listening_socket.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "wire/testing/test_server.h"

namespace modelmill::wire {
namespace {

namespace fs = std::filesystem;
using ::testing::EndsWith;
using ::testing::HasSubstr;

class ListeningSocketTest : public testing::Test {
 protected:
  ListeningSocketTest() : folder_(fs::path(testing::TempDir()) / ("listen" + std::to_string(::getpid()))) {
    fs::create_directories(folder_);
    endpoint_.path = (folder_ / "socket").string();
  }
  ~ListeningSocketTest() override { fs::remove_all(folder_); }

  Result<ListeningSocket> open() const {
    auto sockets = ListeningSocket::open(endpoint_, false);
    if (!sockets.ok()) return sockets.status();
    return std::move(sockets->front());
  }
  int connect() const {
    const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    endpoint_.path.copy(address.sun_path, sizeof address.sun_path - 1);
    if (::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) return fd;
    ::close(fd);
    return -1;
  }

  const fs::path folder_;
  Endpoint endpoint_;
};

TEST_F(ListeningSocketTest, AUnixSocketHasItsModeWhateverTheUmaskIs) {
  for (const mode_t mask : {0000, 0022, 0777}) {
    const mode_t before = ::umask(mask);
    const auto socket = open();
    ::umask(before);
    ASSERT_TRUE(socket.ok()) << socket.status().to_string();
    struct stat found {};
    ASSERT_EQ(::stat(endpoint_.path.c_str(), &found), 0);
    EXPECT_EQ(found.st_mode & 07777, 0660u) << mask;
  }
  EXPECT_FALSE(fs::exists(endpoint_.path)) << "removed at its end";
}

TEST_F(ListeningSocketTest, ALiveSocketIsAnErrorAndIsLeftAlone) {
  const auto first = open();
  ASSERT_TRUE(first.ok());
  const auto second = open();
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.status().code(), Code::kAlreadyExists);
  EXPECT_THAT(second.status().message(), HasSubstr("another program listens on unix:" + endpoint_.path));
  const int client = connect();
  EXPECT_GE(client, 0);
  ::close(client);
}

TEST_F(ListeningSocketTest, ADeadServersFileIsReplaced) {
  const int dead = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  endpoint_.path.copy(address.sun_path, sizeof address.sun_path - 1);
  ASSERT_EQ(::bind(dead, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  ::close(dead);
  ASSERT_TRUE(fs::exists(endpoint_.path));
  const auto socket = open();
  ASSERT_TRUE(socket.ok()) << socket.status().to_string();
  const int client = connect();
  EXPECT_GE(client, 0);
  ::close(client);
}

TEST_F(ListeningSocketTest, AFileThatIsNoSocketIsLeftAlone) {
  std::ofstream(endpoint_.path) << "precious";
  const auto socket = open();
  ASSERT_FALSE(socket.ok());
  EXPECT_THAT(socket.status().message(), HasSubstr("a file that is no socket has that name"));
  EXPECT_EQ(fs::file_size(endpoint_.path), 8u);
}

TEST_F(ListeningSocketTest, ItsEndLeavesAnotherServersFileAlone) {
  auto first = open();
  ASSERT_TRUE(first.ok());
  fs::remove(endpoint_.path);
  const auto second = open();
  ASSERT_TRUE(second.ok());
  first->close();
  EXPECT_TRUE(fs::exists(endpoint_.path));
}

TEST_F(ListeningSocketTest, AMissingFolderIsAClearError) {
  endpoint_.path = (folder_ / "none" / "socket").string();
  const auto socket = open();
  ASSERT_FALSE(socket.ok());
  EXPECT_EQ(socket.status().code(), Code::kNotFound);
  EXPECT_THAT(socket.status().message(), HasSubstr("its folder does not exist"));
}

/// Whether an IPv6 address of its own can be had, as not on every machine.
bool has_ipv6() { return ListeningSocket::open({{}, "::1", 0, ""}, true).ok(); }

TEST(ListeningOnAName, IsOnEveryAddressOfItWithOnePort) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  ASSERT_EQ(::getaddrinfo("localhost", nullptr, &hints, &found), 0);
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> addresses(found, ::freeaddrinfo);
  const auto sockets = ListeningSocket::open({{}, "localhost", 0, ""}, false);
  ASSERT_TRUE(sockets.ok()) << sockets.status().to_string();
  const uint16_t port = sockets->front().endpoint().port;
  int reached = 0;
  for (addrinfo* address = found; address != nullptr; address = address->ai_next) {
    const bool ipv6 = address->ai_family == AF_INET6;
    if (ipv6 && !has_ipv6()) continue;
    (ipv6 ? reinterpret_cast<sockaddr_in6*>(address->ai_addr)->sin6_port
          : reinterpret_cast<sockaddr_in*>(address->ai_addr)->sin_port) = htons(port);
    const int fd = ::socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    EXPECT_EQ(::connect(fd, address->ai_addr, address->ai_addrlen), 0) << std::strerror(errno);
    ::close(fd);
    ++reached;
  }
  EXPECT_GT(reached, 0);
  const auto again = ListeningSocket::open({{}, "localhost", port, ""}, false);
  ASSERT_FALSE(again.ok());
  EXPECT_THAT(again.status().message(), HasSubstr("another program listens on localhost:" + std::to_string(port)));
}

TEST_F(ListeningSocketTest, AServerListensOnSeveralEndpoints) {
  std::string peers;
  TestServer server([&peers](const std::shared_ptr<HttpExchange>& exchange) {
    peers += exchange->request().peer + ";";
    exchange->reply(HttpReply::text(200, "text/plain", "hello"));
  });
  server.options().endpoints = {{{}, "127.0.0.1", 0, ""}, {{}, "127.0.0.1", 0, ""}, endpoint_};
  server.start();
  const auto& bound = server.server().endpoints();
  ASSERT_EQ(bound.size(), 3u);
  EXPECT_NE(bound[0].port, 0);
  EXPECT_NE(bound[1].port, 0);
  EXPECT_NE(bound[0].port, bound[1].port);
  EXPECT_EQ(bound[2].path, endpoint_.path);
  for (const uint16_t port : {bound[0].port, bound[1].port}) {
    RawClient client(port);
    client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    EXPECT_THAT(client.read_reply(), EndsWith("hello"));
  }
  peers.clear();
  const int client = connect();
  ASSERT_GE(client, 0);
  constexpr std::string_view kRequest = "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
  ASSERT_EQ(::send(client, kRequest.data(), kRequest.size(), 0), static_cast<ssize_t>(kRequest.size()));
  std::string reply;
  char buffer[4096];
  for (ssize_t n; (n = ::recv(client, buffer, sizeof buffer, 0)) > 0;) reply.append(buffer, static_cast<size_t>(n));
  ::close(client);
  EXPECT_THAT(reply, EndsWith("hello"));
  EXPECT_EQ(peers, "unix;");
  server.server().drain(Clock::now());
  EXPECT_FALSE(fs::exists(endpoint_.path)) << "removed when the server stops";
}

TEST_F(ListeningSocketTest, OneBadEndpointFailsAllAndIsNamed) {
  TestServer taken([](const std::shared_ptr<HttpExchange>&) {});
  taken.start();
  LoopPool loops(1);
  GrpcMethods methods;
  MetricRegistry metrics;
  Server::Options options;
  options.endpoints = {endpoint_, {{}, "127.0.0.1", taken.port(), ""}};
  Server server(
      loops, options, [](const std::shared_ptr<HttpExchange>&) {}, methods, metrics);
  const Status status = server.listen();
  EXPECT_EQ(status.code(), Code::kAlreadyExists);
  EXPECT_THAT(status.message(), HasSubstr("127.0.0.1:" + std::to_string(taken.port())));
  EXPECT_FALSE(fs::exists(endpoint_.path));
}

TEST(ListeningSocket, APortIsSharedByThoseWhoAllShareIt) {
  Endpoint endpoint;
  endpoint.port = 0;
  endpoint.shared = true;
  const auto first = ListeningSocket::open(endpoint, false);
  ASSERT_TRUE(first.ok()) << first.status().to_string();
  endpoint.port = first->front().endpoint().port;
  EXPECT_TRUE(ListeningSocket::open(endpoint, false).ok());
  endpoint.shared = false;
  EXPECT_EQ(ListeningSocket::open(endpoint, false).status().code(), Code::kAlreadyExists);
}

}  // namespace
}  // namespace modelmill::wire
