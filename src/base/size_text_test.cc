#include "base/size_text.h"

#include <gtest/gtest.h>

namespace modelmill {
namespace {

TEST(SizeTextTest, WritesBytesForPeople) {
  EXPECT_EQ(bytes_text(17), "17 B");
  EXPECT_EQ(bytes_text(1536), "1.5 KiB");
  EXPECT_EQ(bytes_text(uint64_t{3} << 40), "3.0 TiB");
}

TEST(SizeTextTest, ReadsWhatPeopleWrite) {
  EXPECT_EQ(*parse_bytes("0"), 0u);
  EXPECT_EQ(*parse_bytes("4096"), 4096u);
  EXPECT_EQ(*parse_bytes("17b"), 17u);
  EXPECT_EQ(*parse_bytes("1.5KiB"), 1536u);
  EXPECT_EQ(*parse_bytes("512 MB"), uint64_t{512} << 20);
  EXPECT_EQ(*parse_bytes("8g"), uint64_t{8} << 30);
  EXPECT_EQ(*parse_bytes("2TiB"), uint64_t{2} << 40);
}

TEST(SizeTextTest, RefusesEverythingElse) {
  for (const char* text : {"", "x", "GiB", "-1", "-1GiB", "8GB/s", "8 gibi", "1e9999", "nan", "inf", "99999999TiB"})
    EXPECT_EQ(parse_bytes(text).status().code(), Code::kInvalidArgument) << text;
}

}  // namespace
}  // namespace modelmill
