#include "wire/listener.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <string>
#include <thread>

#include "wire/testing/test_server.h"

namespace modelmill::wire {
namespace {

using ::testing::EndsWith;

/// While the process has no descriptor left, clients wait; then they are served.
TEST(Listener, WaitsForDescriptors) {
  TestServer server([](const std::shared_ptr<HttpExchange>& exchange) {
    exchange->reply(HttpReply::text(200, "text/plain", "hello"));
  });
  server.start();
  RawClient client(server.port(), RawClient::Later());
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  const rlimit none{0, before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
  client.connect();
  client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  while (server.metrics().render().find("limit=\"files\"} 0") != std::string::npos) std::this_thread::yield();
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
  EXPECT_THAT(client.read_reply(), EndsWith("hello"));
}

}  // namespace
}  // namespace modelmill::wire
