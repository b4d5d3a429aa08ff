#include "experiment/experiment_journal.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <csignal>
#include <filesystem>
#include <fstream>

#include "base/testing/temp_folder.h"

namespace modelmill {
namespace {

class ExperimentJournalTest : public ::testing::Test {
 protected:
  std::vector<uint64_t> read() {
    std::vector<uint64_t> users;
    auto opened = ExperimentJournal::open(file_, [&](const ExperimentEvent& event) { users.push_back(event.user); });
    EXPECT_TRUE(opened.ok()) << opened.status().message();
    if (opened.ok()) journal_ = *std::move(opened);
    return users;
  }
  static std::vector<ExperimentEvent> events(std::initializer_list<uint64_t> users) {
    std::vector<ExperimentEvent> made;
    for (const uint64_t user : users) made.emplace_back().user = user;
    return made;
  }

  TempFolder folder_;
  const std::string file_ = folder_.path() + "/x.journal";
  std::unique_ptr<ExperimentJournal> journal_;
};

using Users = std::vector<uint64_t>;

TEST_F(ExperimentJournalTest, WhatWasAppendedIsThereAgain) {
  EXPECT_EQ(read(), Users());
  ASSERT_TRUE(journal_->append(events({1, 2})).ok());
  ASSERT_TRUE(journal_->append(events({3})).ok());
  ASSERT_TRUE(journal_->sync().ok());
  EXPECT_EQ(read(), (Users{1, 2, 3}));
  EXPECT_EQ(journal_->events(), 3U);
  ASSERT_TRUE(journal_->append(events({4})).ok());
  EXPECT_EQ(read(), (Users{1, 2, 3, 4}));
}

TEST_F(ExperimentJournalTest, ATornEndIsDroppedAndWrittenOver) {
  read();
  ASSERT_TRUE(journal_->append(events({1, 2})).ok());
  const auto whole = std::filesystem::file_size(file_);
  ASSERT_TRUE(journal_->append(events({3, 4})).ok());
  for (auto size = std::filesystem::file_size(file_) - 1; size > whole; size -= 7) {
    std::filesystem::resize_file(file_, size);
    EXPECT_EQ(read(), (Users{1, 2})) << size;
    ASSERT_TRUE(journal_->append(events({5})).ok());
    EXPECT_EQ(read(), (Users{1, 2, 5}));
    std::filesystem::resize_file(file_, whole);
    EXPECT_EQ(read(), (Users{1, 2}));
    ASSERT_TRUE(journal_->append(events({3, 4})).ok());
  }
}

TEST_F(ExperimentJournalTest, AFlippedBitEndsIt) {
  read();
  ASSERT_TRUE(journal_->append(events({1})).ok());
  const auto whole = std::filesystem::file_size(file_);
  ASSERT_TRUE(journal_->append(events({2})).ok());
  {
    std::fstream file(file_, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(static_cast<std::streamoff>(whole) + 20);
    file.put('!');
  }
  EXPECT_EQ(read(), Users{1});
}

TEST_F(ExperimentJournalTest, ItIsWrittenAnew) {
  read();
  ASSERT_TRUE(journal_->append(events({1, 2, 3})).ok());
  ASSERT_TRUE(journal_->rewrite(events({7})).ok());
  ASSERT_TRUE(journal_->append(events({8})).ok());
  EXPECT_EQ(read(), (Users{7, 8}));
}

TEST_F(ExperimentJournalTest, WhatCantBeLookedAtIsNotTakenForMissing) {
  std::filesystem::create_symlink(file_, file_);
  const auto opened = ExperimentJournal::open(file_, [](const ExperimentEvent&) {});
  ASSERT_FALSE(opened.ok());
  EXPECT_EQ(opened.status().code(), Code::kInternal) << opened.status().message();
  EXPECT_TRUE(std::filesystem::is_symlink(file_)) << "nothing was written in its place";
}

TEST_F(ExperimentJournalTest, WhatCantBeMadeLeavesNoFile) {
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  rlimit none = before;
  none.rlim_cur = 0;
  auto* const was = std::signal(SIGXFSZ, SIG_IGN);
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &none), 0);
  const Status status = ExperimentJournal::make(file_).status();
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
  std::signal(SIGXFSZ, was);
  EXPECT_EQ(status.code(), Code::kInternal);
  EXPECT_FALSE(std::filesystem::exists(file_));
  EXPECT_TRUE(ExperimentJournal::make(file_).ok());
}

TEST_F(ExperimentJournalTest, AnotherFileIsNotTouched) {
  std::ofstream(file_) << "something else";
  const auto opened = ExperimentJournal::open(file_, [](const ExperimentEvent&) {});
  ASSERT_FALSE(opened.ok());
  EXPECT_EQ(opened.status().code(), Code::kDataLoss);
  EXPECT_EQ(std::filesystem::file_size(file_), 14U);
}

}  // namespace
}  // namespace modelmill
