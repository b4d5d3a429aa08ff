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

  Result<ListeningSocket> open() const { return ListeningSocket::open(endpoint_, false); }
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

}  // namespace
}  // namespace modelmill::wire
