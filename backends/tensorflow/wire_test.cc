#include "wire.h"

#include <gtest/gtest.h>

namespace modelmill::tensorflow {
namespace {

using namespace std::string_literals;

TEST(WireTest, WhatIsWrittenIsRead) {
  WireWriter writer;
  writer.number(1, 300).number(2, -1).bytes(70'000, "text").bytes(3, "");
  WireReader reader(writer.out());
  ASSERT_TRUE(reader.next());
  EXPECT_EQ(reader.field(), 1U);
  EXPECT_EQ(reader.varint(), 300U);
  EXPECT_EQ(reader.bytes(), "");
  ASSERT_TRUE(reader.next());
  EXPECT_EQ(static_cast<int64_t>(reader.varint()), -1);
  ASSERT_TRUE(reader.next());
  EXPECT_EQ(reader.field(), 70'000U);
  EXPECT_EQ(reader.bytes(), "text");
  EXPECT_EQ(reader.varint(), 0U);
  ASSERT_TRUE(reader.next());
  EXPECT_TRUE(reader.is_bytes());
  EXPECT_FALSE(reader.next());
  EXPECT_TRUE(reader.ok());
}

TEST(WireTest, FixedNumbersArePassedOver) {
  const std::string bytes = "\x0d\x01\x02\x03\x04\x11\x01\x02\x03\x04\x05\x06\x07\x08\x18\x05"s;
  WireReader reader(bytes);
  ASSERT_TRUE(reader.next());
  EXPECT_FALSE(reader.is_bytes() || reader.is_varint());
  ASSERT_TRUE(reader.next());
  EXPECT_EQ(reader.field(), 2U);
  ASSERT_TRUE(reader.next());
  EXPECT_EQ(reader.varint(), 5U);
  EXPECT_FALSE(reader.next());
  EXPECT_TRUE(reader.ok());
}

TEST(WireTest, BrokenBytesEndIt) {
  const std::string cases[] = {
      "\x08"s,                                          // a number that is missing
      "\x08\x80"s,                                      // one that never ends
      "\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"s,  // one that is too long
      "\x0a\x05only"s,                                  // bytes beyond the end
      "\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"s,  // far beyond
      "\x0d\x01\x02"s,                                  // half a fixed number
      "\x0b\x0c"s,                                      // a group
      "\x00\x01"s,                                      // field 0
  };
  for (const std::string& bytes : cases) {
    WireReader reader(bytes);
    EXPECT_FALSE(reader.next()) << testing::PrintToString(bytes);
    EXPECT_FALSE(reader.ok()) << testing::PrintToString(bytes);
    EXPECT_FALSE(reader.next());
  }
}

TEST(WireTest, AMapEntryMayLackEitherPart) {
  EXPECT_EQ(read_map_entry("\x0a\x01k\x12\x01v"s).key, "k");
  EXPECT_EQ(read_map_entry("\x0a\x01k\x12\x01v"s).value, "v");
  EXPECT_EQ(read_map_entry("\x12\x01v"s).key, "");
  EXPECT_TRUE(read_map_entry("").ok);
  EXPECT_FALSE(read_map_entry("\x0a\x09k"s).ok);
}

}  // namespace
}  // namespace modelmill::tensorflow
