#include "model/execution_resources.h"

#include <gtest/gtest.h>

namespace modelmill {
namespace {

TEST(DeclaredResource, IsReadFromText) {
  const auto each = read_declared_resource("R1:10");
  ASSERT_TRUE(each.ok());
  EXPECT_EQ(each->name, "R1");
  EXPECT_EQ(each->count, 10);
  EXPECT_FALSE(each->device);
  const auto one = read_declared_resource("R2:0:3");
  ASSERT_TRUE(one.ok());
  EXPECT_EQ(one->name, "R2");
  EXPECT_EQ(one->count, 0);
  EXPECT_EQ(one->device, 3);
}

TEST(DeclaredResource, WhatIsNoneIsRefused) {
  for (const char* text : {"", "R", "R:", ":1", "R:x", "R:1x", "R:-1", "R:1:", "R:1:x", "R:1:-1", "R:1:0:2", "R:1.5",
                           "R:99999999999999999999"}) {
    const auto read = read_declared_resource(text);
    EXPECT_EQ(read.status().code(), Code::kInvalidArgument) << text;
    EXPECT_NE(read.status().message().find("NAME:COUNT"), std::string::npos);
  }
}

}  // namespace
}  // namespace modelmill
