#include "state/entry_name.h"

#include <gtest/gtest.h>

namespace modelmill {
namespace {

TEST(EntryName, KeysAndTheirFiles) {
  const std::pair<const char*, const char*> table[] = {
      {"models/ocr", "models%2Focr.json"},
      {"..", "%2E..json"},
      {".hidden", "%2Ehidden.json"},
      {"a.b", "a.b.json"},
      {"50%", "50%25.json"},
      {"%2F", "%252F.json"},
      {"../../etc/passwd", "%2E.%2F..%2Fetc%2Fpasswd.json"},
      {"文字", "文字.json"},
      {"a b\n", "a%20b%0A.json"},
      {"x.json", "x.json.json"},
  };
  for (const auto& [key, name] : table) {
    ASSERT_TRUE(entry_name(key).ok()) << key;
    EXPECT_EQ(*entry_name(key), name);
    EXPECT_EQ(entry_key(name), key);
  }
  const std::string nul("a\0b", 3);
  EXPECT_EQ(entry_key(*entry_name(nul)), nul);
}

TEST(EntryName, KeysThatCantBe) {
  for (const std::string& key : {std::string(), std::string("\xff"), std::string(241, 'a'), std::string(81, '/')})
    EXPECT_EQ(entry_name(key).status().code(), Code::kInvalidArgument) << key;
  EXPECT_TRUE(entry_name(std::string(240, 'a')).ok());
}

TEST(EntryName, FilesThatAreNoEntries) {
  for (const char* name : {"", ".json", "a", "a.json.draft", "a.json.corrupt", "%.json", "%2.json", "%zz.json",
                           "%2f.json", "%41.json", ".a.json", "a b.json"})
    EXPECT_EQ(entry_key(name), std::nullopt) << name;
}

}  // namespace
}  // namespace modelmill
