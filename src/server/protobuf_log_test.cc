#include "server/protobuf_log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdio.h>

#include <algorithm>
#include <cstdio>
#include <string>

#include "base/log.h"
#include "grpc_service.pb.h"

namespace modelmill {
namespace {

using ::testing::HasSubstr;

TEST(LogThrottle, LetsOneThroughAndCountsTheOthers) {
  LogThrottle throttle(std::chrono::seconds(10));
  TimePoint now{std::chrono::seconds(5)};
  EXPECT_EQ(throttle.admit(now), 0U);
  EXPECT_EQ(throttle.admit(now), std::nullopt);
  EXPECT_EQ(throttle.admit(now += std::chrono::milliseconds(9'999)), std::nullopt);
  EXPECT_EQ(throttle.admit(now += std::chrono::milliseconds(1)), 2U);
  EXPECT_EQ(throttle.admit(now), std::nullopt);
}

TEST(ProtobufLog, ManyBadNamesMakeOneLineOfTheLog) {
  std::FILE* const file = std::tmpfile();
  ASSERT_NE(file, nullptr);
  Log::configure({LogLevel::kInfo, LogFormat::kText, fileno(file)});
  take_over_protobuf_log();
  ::testing::internal::CaptureStderr();
  inference::ModelReadyRequest request;
  for (int i = 0; i < 100; ++i) {
    const std::string bad = std::string("\x0A\x01") + '\xFF';  // field 1, of one byte
    EXPECT_FALSE(request.ParseFromString(bad));
  }
  EXPECT_EQ(::testing::internal::GetCapturedStderr(), "");
  Log::configure({});
  std::rewind(file);
  std::string text(1 << 16, '\0');
  text.resize(std::fread(text.data(), 1, text.size(), file));
  std::fclose(file);
  EXPECT_THAT(text, HasSubstr("ModelReadyRequest.name"));
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 1) << text;
}

}  // namespace
}  // namespace modelmill
