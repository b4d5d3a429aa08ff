#include "storage/object_key.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace modelmill {
namespace {

using testing::HasSubstr;

TEST(CheckObjectKey, TakesWhatCanBeAPath) {
  for (const std::string& key : {std::string("a"), std::string("a/b.onnx"), std::string("a/"), std::string("..a/b.."),
                                 std::string("a b/\xC3\xA9/~"), std::string(255, 'x'), std::string("...")})
    EXPECT_TRUE(check_object_key(key).ok()) << key;
}

TEST(CheckObjectKey, RefusesWhatWouldLeaveOrCantBe) {
  for (const std::string& key :
       {std::string(""), std::string("/"), std::string("/etc/passwd"), std::string("a//b"), std::string("a//"),
        std::string(".."), std::string("../a"), std::string("a/.."), std::string("a/../b"), std::string("./a"),
        std::string("a/./b"), std::string("a/../"), std::string("a\0b", 3), std::string("a\nb"), std::string("a\x7f"),
        std::string(256, 'x'), std::string(600, 'x') + "/", std::string(1024, '/') + "xx"}) {
    const Status status = check_object_key(key);
    EXPECT_EQ(status.code(), Code::kInvalidArgument) << shown_key(key);
    EXPECT_THAT(status.message(), HasSubstr("'" + shown_key(key) + "'"));
  }
}

TEST(ShownKey, IsALineOfPrintableText) {
  EXPECT_EQ(shown_key(std::string("a\0\n\x7f", 4)), "a\\x00\\x0a\\x7f");
  EXPECT_LT(shown_key(std::string(1000, 'x')).size(), 300u);
}

}  // namespace
}  // namespace modelmill
