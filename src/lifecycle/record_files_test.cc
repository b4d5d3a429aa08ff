#include "lifecycle/record_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "base/testing/temp_folder.h"
#include "lifecycle/tf_records.h"

namespace modelmill {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

class RecordFilesTest : public ::testing::Test {
 protected:
  std::string prefix() const { return folder_.path() + "/logs/half"; }

  std::vector<fs::path> files() const {
    std::vector<fs::path> out;
    if (fs::exists(folder_.path() + "/logs"))
      for (const auto& entry : fs::directory_iterator(folder_.path() + "/logs")) out.push_back(entry.path());
    std::sort(out.begin(), out.end());
    return out;
  }

  static std::vector<std::string> records(const fs::path& path) {
    std::ifstream file(path, std::ios::binary);
    std::stringstream text;
    text << file.rdbuf();
    const std::string bytes = text.str();
    const auto read = read_tf_records(bytes, 1000);
    EXPECT_TRUE(read.ok()) << read.status().message();
    return read.ok() ? std::vector<std::string>(read->begin(), read->end()) : std::vector<std::string>();
  }

  std::shared_ptr<Counter> count(const char* result) {
    return metrics_.counter("modelmill_request_log_records_total", "Requests that were drawn for a request log.",
                            {{"model", "half"}, {"result", result}});
  }

  TempFolder folder_;
  MetricRegistry metrics_;
};

TEST_F(RecordFilesTest, RecordsAreReadBack) {
  {
    RecordFiles log(metrics_);
    log.record("half", prefix(), "first");
    log.record("half", prefix(), "");
    log.record("half", prefix(), std::string(100'000, 'x'));
  }
  ASSERT_EQ(files().size(), 1U);
  EXPECT_THAT(files()[0].filename().string(), ::testing::MatchesRegex("half-[0-9TZ]+-[0-9]+\\.tfrecord"));
  EXPECT_EQ(fs::status(files()[0]).permissions(), fs::perms::owner_read | fs::perms::owner_write);
  EXPECT_THAT(records(files()[0]), ElementsAre("first", "", std::string(100'000, 'x')));
}

TEST_F(RecordFilesTest, EachRunHasAFileOfItsOwn) {
  for (const char* text : {"a", "b"}) RecordFiles(metrics_).record("half", prefix(), text);
  std::vector<std::string> all;
  for (const auto& file : files())
    for (const std::string& record : records(file)) all.push_back(record);
  EXPECT_EQ(files().size(), 2U);
  EXPECT_THAT(all, ::testing::UnorderedElementsAre("a", "b"));
}

TEST_F(RecordFilesTest, AFileThatIsMovedIsFollowedByANewOne) {
  RecordFiles log(metrics_);
  const auto write = [&](const std::string& text) {
    const auto written = count("written");
    const double before = written->value();
    log.record("half", prefix(), text);
    while (written->value() == before) std::this_thread::yield();
  };
  write("a");
  const fs::path moved = folder_.path() + "/moved";
  fs::rename(files().at(0), moved);
  write("b");
  EXPECT_THAT(records(moved), ElementsAre("a"));
  ASSERT_EQ(files().size(), 1U);
  EXPECT_THAT(records(files()[0]), ElementsAre("b"));
}

TEST_F(RecordFilesTest, WhatCantBeWrittenIsCounted) {
  std::ofstream(folder_.path() + "/file") << "no folder";
  const auto failed = count("failed");
  { RecordFiles(metrics_).record("half", folder_.path() + "/file/half", "lost"); }
  EXPECT_EQ(failed->value(), 1);
  EXPECT_THAT(files(), IsEmpty());
}

TEST_F(RecordFilesTest, WhatFindsNoRoomIsDropped) {
  RecordFiles log(metrics_);
  log.record("half", prefix(), std::string((64 << 20) + 1, 'x'));
  EXPECT_EQ(count("dropped")->value(), 1);
  log.record("half", prefix(), "small");
  EXPECT_EQ(count("dropped")->value(), 1);
}

}  // namespace
}  // namespace modelmill
