#include "experiment/journal_tail.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <vector>

#include "base/testing/temp_folder.h"
#include "experiment/experiment_files.h"
#include "experiment/experiment_journal.h"

namespace modelmill {
namespace {

using Users = std::vector<uint64_t>;

std::vector<ExperimentEvent> some(std::initializer_list<uint64_t> users) {
  std::vector<ExperimentEvent> made;
  for (const uint64_t user : users) made.emplace_back().user = user;
  return made;
}

/// What is new, up to a place in the file.
Users read(JournalTail& tail, uint64_t until = JournalTail::kAll) {
  Users users;
  const Status status = tail.read(
      [&](std::span<const ExperimentEvent> batch, uint64_t) {
        for (const ExperimentEvent& event : batch) users.push_back(event.user);
        return true;
      },
      until);
  EXPECT_TRUE(status.ok()) << status.message();
  return users;
}

TEST(JournalTailTest, FollowsWhatAnotherWrites) {
  const TempFolder folder;
  const std::string file = folder / "x";
  JournalTail tail(file);
  EXPECT_EQ(tail.read([](auto, uint64_t) { return true; }).code(), Code::kNotFound);
  const auto journal = ExperimentJournal::make(file).value();
  EXPECT_EQ(read(tail), Users());
  ASSERT_TRUE(journal->append(some({1, 2})).ok());
  const uint64_t first = std::filesystem::file_size(file);
  ASSERT_TRUE(journal->append(some({3})).ok());
  EXPECT_EQ(read(tail, first), (Users{1, 2}));
  EXPECT_EQ(read(tail, std::filesystem::file_size(file) - 1), Users()) << "only whole batches";
  EXPECT_TRUE(tail.read([](auto, uint64_t) { return false; }).ok());
  EXPECT_EQ(read(tail), Users{3}) << "which was not taken";
  EXPECT_EQ(read(tail), Users());
  JournalTail later(file, first);
  EXPECT_EQ(read(later), Users{3});
  EXPECT_EQ(later.offset(), later.size());
}

TEST(JournalTailTest, AReadThatFailsIsNoEnd) {
  const TempFolder folder;
  const std::string file = folder.make("x");
  // So many that the folder has a size whatever a file system counts as that, entries or bytes.
  for (int i = 0; i < 32; ++i) folder.write("x/file-" + std::to_string(i));
  struct stat now {};
  ASSERT_EQ(::stat(file.c_str(), &now), 0);
  ASSERT_GE(now.st_size, 16);
  // It can be opened, has a size, and every read of it fails.
  JournalTail tail(file, 1);
  EXPECT_EQ(tail.read([](auto, uint64_t) { return true; }).code(), Code::kInternal);
  EXPECT_EQ(tail.offset(), 1U);
}

TEST(JournalTailTest, SeesThatItIsWrittenAnew) {
  const TempFolder folder;
  const std::string file = folder / "x";
  const auto journal = ExperimentJournal::open(file, [](const ExperimentEvent&) {}).value();
  ASSERT_TRUE(journal->append(some({1, 2})).ok());
  JournalTail tail(file);
  EXPECT_EQ(read(tail), (Users{1, 2}));
  // Twice: the second file must not be taken for the first, whose number may be given again.
  ASSERT_TRUE(journal->rewrite(some({7})).ok());
  ASSERT_TRUE(journal->rewrite(some({8})).ok());
  EXPECT_EQ(tail.read([](auto, uint64_t) { return true; }).code(), Code::kAborted);
  JournalTail again(file);
  EXPECT_EQ(read(again), Users{8});
}

TEST(JournalTailTest, AJournalIsTakenAwayWhenItsWriterIsGone) {
  const TempFolder folder;
  const std::string file = folder / "x";
  auto journal = ExperimentJournal::make(file).value();
  ASSERT_TRUE(journal->append(some({1})).ok());
  const uint64_t size = std::filesystem::file_size(file);
  EXPECT_FALSE(remove_left_journal(file, size));
  EXPECT_TRUE(journal->is_there());
  std::filesystem::remove(file);
  EXPECT_FALSE(journal->is_there());
  journal = ExperimentJournal::make(file).value();
  ASSERT_TRUE(journal->append(some({1, 2})).ok());
  journal.reset();
  EXPECT_FALSE(remove_left_journal(file, size)) << "there is more than was read";
  EXPECT_TRUE(remove_left_journal(file, std::filesystem::file_size(file)));
  EXPECT_FALSE(std::filesystem::exists(file));
}

TEST(ExperimentFilesTest, AreThoseOfTheNameAlone) {
  const TempFolder folder;
  const auto files = ExperimentFiles::of(folder.path(), "x", 2).value();
  const auto touch = [](const std::string& file) { std::ofstream(file) << "x"; };
  touch(files.journal());
  touch(files.journal() + ".draft");
  touch(files.part("ab", 0, ExperimentFiles::Kind::kUsers));
  touch(files.part("ab", 1, ExperimentFiles::Kind::kUsers));
  touch(files.part("cd", 0, ExperimentFiles::Kind::kOutcomes));
  touch(ExperimentFiles::of(folder.path(), "x", 1).value().journal());
  std::vector<std::string> others{
      ExperimentFiles::of(folder.path(), "x", 3).value().journal(),
      ExperimentFiles::of(folder.path(), "x.json.2.y", 1).value().journal(),
      ExperimentFiles::of(folder.path(), "x.json.2.y", 1).value().part("ab", 0, ExperimentFiles::Kind::kUsers),
      folder / "x.json.two.journal",
      folder / "x.json.2.other.draft",
      folder / "other"};
  for (const std::string& other : others) touch(other);
  ASSERT_EQ(files.parts()->size(), 3U);
  EXPECT_EQ(files.parts().value()[2].replica, "cd");
  EXPECT_EQ(files.parts().value()[2].kind, ExperimentFiles::Kind::kOutcomes);
  files.remove_parts("ab");
  EXPECT_EQ(files.parts()->size(), 1U);
  files.remove();
  EXPECT_TRUE(files.parts()->empty());
  EXPECT_FALSE(std::filesystem::exists(files.journal()));
  EXPECT_FALSE(std::filesystem::exists(files.journal() + ".draft"));
  EXPECT_FALSE(std::filesystem::exists(ExperimentFiles::of(folder.path(), "x", 1).value().journal()));
  for (const std::string& other : others) EXPECT_TRUE(std::filesystem::exists(other)) << other;
}

TEST(ExperimentFilesTest, WhatCantBeListedIsNotTakenForNone) {
  const TempFolder folder;
  EXPECT_TRUE(ExperimentFiles::of(folder / "missing", "x", 1).value().parts().ok());
  EXPECT_EQ(ExperimentFiles::of(folder.write("file"), "x", 1).value().parts().status().code(), Code::kInternal);
}

}  // namespace
}  // namespace modelmill
