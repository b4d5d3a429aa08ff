#include "server/root_reply.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace modelmill {
namespace {

TEST(RootReply, OnlyAServerOfOurNameHasTheFrontPage) {
  ServerConfig config;
  EXPECT_FALSE(root_reply_of(config));
  config.server_name = "triton";
  EXPECT_EQ(root_reply_of(config)->status, 404);
  EXPECT_EQ(root_reply_of(config)->body, R"({"error":"Not Found"})");
  config.server_name = "mlserver";
  EXPECT_EQ(root_reply_of(config)->body, R"({"detail":"Not Found"})");
  config = ServerConfig();
  config.torchserve_metrics = true;
  EXPECT_EQ(root_reply_of(config)->status, 405);
  EXPECT_THAT(root_reply_of(config)->body, ::testing::HasSubstr("MethodNotAllowedException"));
}

}  // namespace
}  // namespace modelmill
