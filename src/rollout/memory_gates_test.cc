#include "rollout/memory_gates.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "rollout/testing/rollout_server.h"

namespace modelmill {
namespace {

using ::testing::HasSubstr;

TEST(MemoryGatesTest, AreForVersionsWithProcesses) {
  RolloutServer server(nullptr);
  const auto start = [&](const char* gate) {
    return server.rollouts().start("m", R"({"to": "m@2", "gates": [")" + std::string(gate) + R"("]})", "me").status();
  };
  for (const char* gate : {"memory<=1.5x", "memory<=2GiB"}) {
    const Status status = start(gate);
    EXPECT_EQ(status.code(), Code::kFailedPrecondition);
    EXPECT_THAT(status.message(), HasSubstr("gate '" + std::string(gate) + "' can't be kept: 'm@2' runs within"));
    EXPECT_THAT(status.message(), HasSubstr("Leave the gate out"));
  }
  server.version(2).health.memory_bytes = 1 << 20;
  EXPECT_THAT(start("memory<=1.5x").message(), HasSubstr("'m@1' runs within the server"));
  EXPECT_TRUE(start("memory<=2GiB").ok()) << "which is not of the baseline";
  ASSERT_TRUE(server.rollouts().act("m", RolloutAction::kAbort, "me").ok());
  server.version(1).health.memory_bytes = 1 << 20;
  EXPECT_TRUE(start("memory<=1.5x").ok());
}

}  // namespace
}  // namespace modelmill
