#include "lifecycle/code_trust.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace modelmill {
namespace {

using ::testing::HasSubstr;

TEST(CodeTrust, ALibraryOfOperatorsIsForTheOperatorToName) {
  FoundModel found;
  found.name = "m";
  ModelDefinition definition;
  definition.parameters["NUM_STREAMS"] = "1";
  found.untrusted = true;
  EXPECT_TRUE(check_native_parameters(found, definition).ok());
  definition.parameters["CPU_EXTENSION_PATH"] = "/tmp/lib.so";
  const Status refused = check_native_parameters(found, definition);
  EXPECT_EQ(refused.code(), Code::kPermissionDenied);
  EXPECT_THAT(refused.message(), HasSubstr("parameter 'CPU_EXTENSION_PATH' names '/tmp/lib.so', native code"));
  found.untrusted = false;
  EXPECT_TRUE(check_native_parameters(found, definition).ok());
}

}  // namespace
}  // namespace modelmill
