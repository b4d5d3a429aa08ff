#include "otlp/export_outcome.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace modelmill {
namespace {

using Kind = ExportOutcome::Kind;
using std::chrono::milliseconds;

ClientReply reply(int status, std::string retry_after = "", std::string body = "") {
  ClientReply out{status, {}, std::move(body)};
  if (!retry_after.empty()) out.headers.emplace_back("retry-after", std::move(retry_after));
  return out;
}

TEST(ExportOutcome, WhatPassesIsTriedAgain) {
  for (const int status : {429, 502, 503, 504}) EXPECT_EQ(outcome_of(reply(status)).kind, Kind::kTryAgain) << status;
  for (const int status : {301, 400, 401, 404, 413, 500, 501})
    EXPECT_EQ(outcome_of(reply(status)).kind, Kind::kRefused) << status;
  for (const int status : {200, 202}) EXPECT_EQ(outcome_of(reply(status)).kind, Kind::kTaken) << status;
  EXPECT_EQ(outcome_of(unavailable("nobody is there")).kind, Kind::kTryAgain);
  EXPECT_EQ(outcome_of(deadline_exceeded("it says nothing")).kind, Kind::kTryAgain);
  EXPECT_EQ(outcome_of(resource_exhausted("it says too much")).kind, Kind::kRefused);
  EXPECT_EQ(outcome_of(reply(404)).why, "it answered 404");
}

TEST(ExportOutcome, ReadsWhatWasRejected) {
  // partial_success { rejected_spans: 3 error_message: "no" }
  const std::string body("\x0a\x06\x08\x03\x12\x02no", 8);
  const ExportOutcome partly = outcome_of(reply(200, "", body));
  EXPECT_EQ(partly.kind, Kind::kTaken);
  EXPECT_EQ(partly.rejected, 3);
  EXPECT_EQ(partly.why, "no");
  for (const char* garbage : {"<html>", "\xff\xff\xff", "{}"}) {
    const ExportOutcome outcome = outcome_of(reply(200, "", garbage));
    EXPECT_EQ(outcome.kind, Kind::kTaken) << garbage;
    EXPECT_EQ(outcome.rejected, 0) << garbage;
  }
}

TEST(ExportOutcome, DoubtsThatAPageIsACollectors) {
  const auto doubt = [](std::string type, std::string body) {
    ClientReply page = reply(200, "", std::move(body));
    page.headers.emplace_back("content-type", std::move(type));
    const ExportOutcome outcome = outcome_of(page);
    EXPECT_EQ(outcome.kind, Kind::kTaken);
    return outcome.doubt;
  };
  EXPECT_THAT(doubt("text/html; charset=utf-8", "<html>"), ::testing::HasSubstr("'text/html' and not in"));
  EXPECT_THAT(doubt("application/json", "{}"), ::testing::HasSubstr("'application/json'"));
  for (const char* type : {"application/x-protobuf", "Application/X-Protobuf ; v=1", "application/protobuf"})
    EXPECT_EQ(doubt(type, std::string("\x0a\x02\x08\x02", 4)), "") << type;
  EXPECT_EQ(doubt("text/plain", ""), "");
  EXPECT_EQ(outcome_of(reply(200, "", "<html>")).doubt, "");  // it doesn't say what it is
}

TEST(PauseAfter, GrowsAndEnds) {
  const ExportOutcome outcome = outcome_of(reply(503));
  const auto pause = [&](int attempts, double chance) {
    return pause_after(attempts, outcome, milliseconds(100), chance);
  };
  EXPECT_EQ(pause(1, 0.5), milliseconds(100));
  EXPECT_EQ(pause(1, 0), milliseconds(50));
  EXPECT_EQ(pause(2, 0.5), milliseconds(150));
  EXPECT_EQ(pause(3, 0.5), milliseconds(225));
  EXPECT_EQ(pause(kMostAttempts, 0.5), std::nullopt);
  EXPECT_EQ(pause_after(1, outcome, milliseconds(1'000'000), 0.5), kLongestPause);
  EXPECT_EQ(pause_after(1, outcome_of(reply(400)), milliseconds(1), 0.5), std::nullopt);
}

TEST(PauseAfter, IsWhatTheCollectorAsks) {
  const auto pause = [](const char* retry_after) {
    return pause_after(1, outcome_of(reply(429, retry_after)), milliseconds(100), 0.5);
  };
  EXPECT_EQ(pause("7"), milliseconds(7'000));
  EXPECT_EQ(pause("0"), milliseconds(0));
  EXPECT_EQ(pause("31"), std::nullopt);                         // it would keep everything else waiting
  EXPECT_EQ(pause("99999999999999999999"), milliseconds(100));  // no number
  EXPECT_EQ(pause("Mon, 30 Nov 2026 16:00:00 GMT"), milliseconds(100));
  EXPECT_EQ(pause("-1"), milliseconds(100));
}

}  // namespace
}  // namespace modelmill
