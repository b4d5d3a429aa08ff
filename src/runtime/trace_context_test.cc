#include "runtime/trace_context.h"

#include <gtest/gtest.h>

#include <string>

namespace modelmill {
namespace {

const std::string kTrace = "4bf92f3577b34da6a3ce929d0e0e4736";
const std::string kParent = "00f067aa0ba902b7";

std::string traceparent(const std::string& version, const std::string& trace, const std::string& parent,
                        const std::string& flags) {
  return version + "-" + trace + "-" + parent + "-" + flags;
}

TEST(TraceContext, Reads) {
  const auto context = parse_traceparent(traceparent("00", kTrace, kParent, "01"));
  ASSERT_TRUE(context);
  EXPECT_TRUE(context->present());
  EXPECT_EQ(context->trace_id.front(), 0x4b);
  EXPECT_EQ(context->trace_id.back(), 0x36);
  EXPECT_EQ(context->parent_id.front(), 0x00);
  EXPECT_EQ(context->parent_id.back(), 0xb7);
  EXPECT_EQ(context->flags, 1);
  EXPECT_EQ(trace_id_in(traceparent("00", kTrace, kParent, "01")), kTrace);
  EXPECT_FALSE(TraceContext{}.present());
}

TEST(TraceContext, LaterVersionsMayHaveMore) {
  EXPECT_TRUE(parse_traceparent(traceparent("01", kTrace, kParent, "00")));
  EXPECT_TRUE(parse_traceparent(traceparent("cc", kTrace, kParent, "00") + "-what-the-future-brings"));
  EXPECT_FALSE(parse_traceparent(traceparent("cc", kTrace, kParent, "00") + ".what-the-future-brings"));
}

TEST(TraceContext, MalformedIsNone) {
  const std::string zeros16(16, '0'), zeros32(32, '0');
  for (const std::string& text :
       {std::string(), std::string("00"), traceparent("ff", kTrace, kParent, "01"),
        traceparent("00", kTrace, kParent, "01") + "-more", traceparent("00", kTrace, kParent, "01") + " ",
        traceparent("00", zeros32, kParent, "01"), traceparent("00", kTrace, zeros16, "01"),
        traceparent("00", "4BF92F3577B34DA6A3CE929D0E0E4736", kParent, "01"), traceparent("0g", kTrace, kParent, "01"),
        traceparent("00", kTrace, kParent, "0x"), traceparent("00", kTrace.substr(1), kParent, "01"),
        traceparent("00", kTrace + "0", kParent.substr(1), "01"), traceparent("00", kTrace, "00f067aa0ba902b", "011")})
    EXPECT_FALSE(parse_traceparent(text)) << text;
}

}  // namespace
}  // namespace modelmill
