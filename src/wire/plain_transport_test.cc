#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "wire/loop.h"
#include "wire/testing/test_server.h"
#include "wire/transport.h"

namespace modelmill::wire {
namespace {

/// A listening socket of the loopback.
class Listening {
 public:
  Listening() : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    MM_CHECK(::bind(fd_, reinterpret_cast<sockaddr*>(&address), size) == 0 && ::listen(fd_, 1) == 0 &&
                 ::getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size) == 0,
             "listen");
    port_ = ntohs(address.sin_port);
  }
  ~Listening() { ::close(fd_); }
  uint16_t port() const { return port_; }
  int accept() const { return ::accept4(fd_, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK); }

 private:
  int fd_;
  uint16_t port_ = 0;
};

struct Reader final : Transport::User {
  void on_read(IoResult result) override { results.push_back(result); }
  void on_writable() override {}
  std::vector<IoResult> results;
};

class PlainTransportTest : public ::testing::Test {
 protected:
  ~PlainTransportTest() override {
    transport_->close();
    loop_.run_ready();
  }
  void read() { transport_->async_read(into_, reader_); }
  /// Until a read has been told of: what is sent through the loopback is there a moment later.
  IoResult next_read() {
    for (const TimePoint until = Clock::now() + std::chrono::seconds(60);
         reader_->results.empty() && Clock::now() < until;)
      loop_.run_ready();
    if (reader_->results.empty()) return {IoResult::kWouldBlock};
    const IoResult result = reader_->results.front();
    reader_->results.clear();
    return result;
  }

  Listening listening_;
  RawClient client_{listening_.port()};
  Loop loop_;
  std::unique_ptr<Transport> transport_ = make_plain_transport(loop_, listening_.accept(), AF_INET);
  std::shared_ptr<Reader> reader_ = std::make_shared<Reader>();
  std::vector<std::byte> into_ = std::vector<std::byte>(size_t{1} << 20);
};

constexpr size_t kKB = 1024;

TEST_F(PlainTransportTest, WhatIsExpectedIsToldOfWhenMuchOfItIsHere) {
  transport_->expect(1000 * kKB);
  read();
  for (int i = 0; i < 9; ++i) {
    client_.send(std::string(25 * kKB, 'x'));
    loop_.run_ready();
  }
  EXPECT_TRUE(reader_->results.empty());
  client_.send(std::string(100 * kKB, 'x'));
  EXPECT_GE(next_read().bytes, 256 * kKB);
}

TEST_F(PlainTransportTest, NoMoreIsWaitedForThanIsExpected) {
  transport_->expect(100 * kKB);
  read();
  client_.send(std::string(99 * kKB, 'x'));
  loop_.run_ready();
  EXPECT_TRUE(reader_->results.empty());
  client_.send(std::string(kKB, 'x'));
  EXPECT_EQ(next_read().bytes, 100 * kKB);
}

TEST_F(PlainTransportTest, WhatHasGatheredIsToldOfWhenNoMoreIsExpected) {
  transport_->expect(1000 * kKB);
  read();
  client_.send("some");
  loop_.run_ready();
  EXPECT_TRUE(reader_->results.empty());
  transport_->expect(0);
  EXPECT_EQ(next_read().bytes, 4u);
  transport_->expect(1000 * kKB);
  transport_->expect(0);
  read();
  client_.send("more");
  EXPECT_EQ(next_read().bytes, 4u);
}

TEST_F(PlainTransportTest, AnEndIsToldOfWhateverIsExpected) {
  transport_->expect(1000 * kKB);
  read();
  client_.send("some");
  client_.shutdown_write();
  EXPECT_EQ(next_read().bytes, 4u);
  read();
  EXPECT_EQ(next_read().state, IoResult::kClosed);
}

}  // namespace
}  // namespace modelmill::wire
