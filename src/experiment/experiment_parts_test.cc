#include "experiment/experiment_parts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "base/stable_hash.h"
#include "experiment/experiment_journal.h"
#include "experiment/experiment_spool.h"
#include "experiment/testing/experiment_processes.h"

// What processes leave for the one that decides, and what becomes of it when it can't be read.

namespace modelmill {
namespace {

using std::chrono::seconds;
using ::testing::HasSubstr;

using ExperimentPartsTest = ExperimentProcessesTest;

TEST_F(ExperimentPartsTest, APartThatCantBeReadIsLeftOut) {
  begin();
  folder_.write("experiments/x.json.1.other.0.users", "this is something else altogether");
  // Their writers died while they made them.
  const std::vector<std::string> cut{folder_.write("experiments/x.json.1.short.0.users", "modelmill"),
                                     folder_.write("experiments/x.json.1.empty.0.users", ""),
                                     folder_.write("experiments/x.json.1.empty.1.outcomes", "")};
  at(1).expose("bob", "m@2");
  pass(seconds(1));
  EXPECT_EQ(arms_in(at(0).show()).at("m@2").exposed, 1U);
  for (const std::string& file : cut) EXPECT_FALSE(std::filesystem::exists(file)) << file;
}

TEST_F(ExperimentPartsTest, APartThatCantBeReadForAWhileIsTakenLater) {
  begin();
  const std::string file = folder_ / "experiments/x.json.1.other.0.users";
  std::filesystem::create_symlink(file, file);  // opening it fails, as it does without descriptors
  pass(seconds(1));
  std::filesystem::remove(file);
  ExposedUsers::Log log;
  ExperimentSpool::give(stable_hash("bob"), 0, /*arm=*/1, at(0).now_ms(), log);
  ASSERT_TRUE(ExperimentJournal::make(file).value()->append(log).ok());
  pass(seconds(1));
  EXPECT_EQ(arms_in(at(0).show()).at("m@2").exposed, 1U);
}

TEST_F(ExperimentPartsTest, NoWindowEndsWhileAPartCantBeRead) {
  begin();
  at(0).expose("ann", "m@1");
  pass(seconds(1));
  ASSERT_THAT(at(1)->outcomes("x", R"({"user":"ann"})").value(), HasSubstr(R"("deferred":1)"));
  std::filesystem::path part;
  for (const auto& entry : std::filesystem::directory_iterator(folder_ / "experiments"))
    if (entry.path().extension() == ".outcomes" && entry.file_size() > 0) part = entry.path();
  ASSERT_FALSE(part.empty());
  const std::string aside = folder_ / "aside";
  std::filesystem::rename(part, aside);
  std::filesystem::create_symlink(part, part);
  pass(seconds(60));
  EXPECT_EQ(arms_in(at(0).show()).at("m@1").counted, 0U) << "what she did may be in it";
  std::filesystem::rename(aside, part);
  pass(seconds(3));
  EXPECT_EQ(arms_in(at(0).show()).at("m@1").counted, 1U);
  EXPECT_EQ(arms_in(at(0).show()).at("m@1").rate, 1);
  // Without the file they end as well.
  at(0).expose("bob", "m@1");
  const std::string other = folder_ / "experiments/x.json.1.other.0.users";
  std::filesystem::create_symlink(other, other);
  pass(seconds(60));
  EXPECT_EQ(arms_in(at(0).show()).at("m@1").counted, 1U);
  std::filesystem::remove(other);
  pass(seconds(3));
  EXPECT_EQ(arms_in(at(0).show()).at("m@1").counted, 2U);
}

}  // namespace
}  // namespace modelmill
