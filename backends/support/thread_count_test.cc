#include "thread_count.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace modelmill::backend {
namespace {

int count(const std::string& parameters) {
  return thread_count(ModelConfig("{\"parameters\": {" + parameters + "}}"), "threads", 3, 6);
}

TEST(ThreadCount, IsWhatTheParameterSays) {
  EXPECT_EQ(count(""), 3);
  EXPECT_EQ(count(R"("others": "5")"), 3);
  EXPECT_EQ(count(R"("threads": "5")"), 5);
  EXPECT_EQ(count(R"("threads": {"string_value": "1024"})"), 1024);
  EXPECT_EQ(count(R"("threads": "0")"), 6) << "as many as cores";
}

TEST(ThreadCount, RefusesWhatIsNone) {
  for (const char* wrong : {"-1", "1025"}) try {
      FAIL() << count(std::string(R"("threads": ")") + wrong + '"');
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), MM_INVALID_ARGUMENT);
      EXPECT_THAT(error.what(),
                  testing::HasSubstr(std::string("parameter 'threads' is ") + wrong + "; it must be from 0"));
    }
}

}  // namespace
}  // namespace modelmill::backend
