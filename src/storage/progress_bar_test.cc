#include "storage/progress_bar.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace modelmill {
namespace {

using testing::EndsWith;
using testing::HasSubstr;

TEST(ProgressBar, SaysHowMuchHowFastAndHowLong) {
  ManualTime time;
  std::string written;
  ProgressBar bar([&](const std::string& text) { written = text; }, time);
  bar.show({"s3://models/ocr", 0, 300'000'000});
  EXPECT_THAT(written, EndsWith("s3://models/ocr  0 B of 300.0 MB  0%"));
  time.advance(std::chrono::seconds(2));
  bar.show({"s3://models/ocr", 100'000'000, 300'000'000});
  EXPECT_THAT(written, EndsWith("100.0 MB of 300.0 MB  33%  50.0 MB/s  0:04 left"));
  bar.show({"s3://models/ocr", 300'000'000, 300'000'000, true});
  EXPECT_EQ(written, "\r\x1b[K");
}

TEST(ProgressBar, WhatWasHereBeforeIsNoSpeed) {
  ManualTime time;
  std::string written;
  ProgressBar bar([&](const std::string& text) { written = text; }, time);
  bar.show({"u", 1'000'000, 2'000'000});
  time.advance(std::chrono::seconds(1));
  bar.show({"u", 1'500'000, 2'000'000});
  EXPECT_THAT(written, HasSubstr("500.0 KB/s  0:01 left"));
}

TEST(ProgressBar, OneDownloadHasTheLine) {
  ManualTime time;
  std::string written;
  ProgressBar bar([&](const std::string& text) { written = text; }, time);
  bar.show({"first", 1, 10});
  bar.show({"second", 1, 10});
  EXPECT_THAT(written, HasSubstr("first"));
  bar.show({"first", 10, 10, true});
  bar.show({"second", 2, 10});
  EXPECT_THAT(written, HasSubstr("second"));
}

}  // namespace
}  // namespace modelmill
