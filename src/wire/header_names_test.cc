#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "wire/testing/test_server.h"

namespace modelmill::wire {
namespace {

TEST(HeaderNames, AreKeptAsTheyCameWhereThatIsAskedFor) {
  for (const bool kept : {false, true}) {
    TestServer server([](const std::shared_ptr<HttpExchange>& exchange) {
      std::string text;
      for (const auto& [name, value] : exchange->request().headers) text += name + " ";
      for (const std::string& name : exchange->request().sent_names) text += name + " ";
      exchange->reply(HttpReply::text(200, "text/plain", text));
    });
    server.options().keep_header_names = kept;
    server.start();
    RawClient client(server.port());
    for (int i = 0; i < 2; ++i) {
      client.send("GET / HTTP/1.1\r\nHost: x\r\nX-User: ann\r\n\r\n");
      EXPECT_THAT(client.read_reply(),
                  ::testing::EndsWith(kept ? "\r\n\r\nhost x-user Host X-User " : "\r\n\r\nhost x-user "));
    }
  }
}

}  // namespace
}  // namespace modelmill::wire
