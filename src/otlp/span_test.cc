#include "otlp/span.h"

#include <gtest/gtest.h>

namespace modelmill {
namespace {

TEST(Span, TextsComeInShort) {
  const std::string much(kMostAttributeBytes - 1, 'x'), e = "\xC3\xA9";
  EXPECT_EQ(short_text(much + "y"), much + "y");
  EXPECT_EQ(short_text(much + e), much);  // no half of a character
  Span span;
  span.set("text", much + "yz");
  span.set("name", "short");
  span.set("number", int64_t{7});
  span.set("is", true);
  span.set_status(internal(much + "yz"));
  EXPECT_EQ(std::get<std::string>(span.attributes[0].second), much + "y");
  EXPECT_EQ(std::get<std::string>(span.attributes[1].second), "short");
  EXPECT_EQ(std::get<int64_t>(span.attributes[2].second), 7);
  EXPECT_TRUE(std::get<bool>(span.attributes[3].second));
  EXPECT_EQ(span.status, internal(much + "y"));
  span.set_status(not_found("that"));
  EXPECT_EQ(span.status, not_found("that"));
}

}  // namespace
}  // namespace modelmill
