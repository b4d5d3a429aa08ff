#include "catalog/model_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace modelmill {
namespace {

using testing::ElementsAre;

std::shared_ptr<const ModelEntry> entry(const std::string& name, int64_t version = 1) {
  return std::make_shared<ModelEntry>(ModelEntry{name, {}, {{version, VersionState::kLoading, ""}}});
}

std::vector<std::string> names(const ModelTable& table) {
  std::vector<std::string> out;
  for (const ModelEntry* e : table.entries()) out.push_back(e->name);
  return out;
}

TEST(ModelTableTest, ListsByName) {
  ModelTable table;
  EXPECT_TRUE(table.empty());
  for (const char* name : {"c", "a", "b"}) table.put(entry(name));
  EXPECT_THAT(names(table), ElementsAre("a", "b", "c"));
  EXPECT_EQ(table.find("b")->name, "b");
  EXPECT_EQ(table.find("d"), nullptr);
}

TEST(ModelTableTest, KnowsWhetherAnyMayBeOpen) {
  ModelTable table;
  table.put(entry("closed"));
  EXPECT_FALSE(table.may_have_open());
  const auto waiting = [](const char* name) {
    ModelEntry known{name, {}, {}};
    known.on_demand = true;
    return std::make_shared<const ModelEntry>(known);
  };
  table.put(waiting("a"));
  table.put(waiting("a"));
  table.put(waiting("b"));
  EXPECT_FALSE(table.has_open()) << "none is served yet";
  const ModelTable before = table;
  table.put(entry("a"));
  EXPECT_TRUE(table.may_have_open());
  table.erase("b");
  table.erase("b");
  EXPECT_FALSE(table.may_have_open());
  EXPECT_TRUE(before.may_have_open());
}

TEST(ModelTableTest, ACopyKeepsWhatTheOtherChanges) {
  ModelTable table;
  for (int i = 0; i < 1'000; ++i) table.put(entry("m" + std::to_string(i)));
  const ModelTable before = table;
  table.put(entry("m7", 2));
  table.erase("m8");
  table.erase("nobody");
  EXPECT_EQ(before.find("m7")->statuses[0].version, 1);
  EXPECT_NE(before.find("m8"), nullptr);
  EXPECT_EQ(table.find("m7")->statuses[0].version, 2);
  EXPECT_EQ(table.find("m8"), nullptr);
  EXPECT_EQ(before.size(), 1'000U);
  EXPECT_EQ(table.size(), 999U);
  EXPECT_EQ(before.find("m9"), table.find("m9")) << "shared";
}

}  // namespace
}  // namespace modelmill
