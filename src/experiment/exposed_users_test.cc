#include "experiment/exposed_users.h"

#include <gtest/gtest.h>

namespace modelmill {
namespace {

constexpr int64_t kBegin = 1'767'225'600'000;
using std::chrono::milliseconds;

ExposedUsers::Plan plan(bool by_request = false) {
  ExposedUsers::Plan made;
  made.arms = 2;
  made.binary = {true, false};  // purchase, basket
  made.window = milliseconds(10'000);
  made.by_request = by_request;
  return made;
}

Outcome outcome(uint64_t user, uint8_t metric = 0, double value = 1, uint64_t id = 0) {
  Outcome made;
  made.user = user;
  made.metric = metric;
  made.value = value;
  made.id = id;
  return made;
}

Outcome of_request(uint64_t request) {
  Outcome made;
  made.request = request;
  return made;
}

/// Made again from its events it must be the same; from its snapshot too.
void expect_same(const ExposedUsers& a, const ExposedUsers& b) {
  EXPECT_EQ(a.totals(), b.totals());
  EXPECT_EQ(a.waiting(), b.waiting());
  EXPECT_EQ(a.size(), b.size());
  for (int which = 0; which < kExperimentCounts; ++which)
    EXPECT_EQ(a.count(static_cast<ExperimentCount>(which)), b.count(static_cast<ExperimentCount>(which))) << which;
}

ExposedUsers replayed(const ExposedUsers::Log& log, bool by_request = false) {
  ExposedUsers users(plan(by_request));
  for (const ExperimentEvent& event : log) users.apply(event);
  return users;
}

TEST(ExposedUsersTest, AUserIsCountedOnceAndWhenItsWindowIsOver) {
  ExposedUsers users(plan());
  ExposedUsers::Log log;
  users.expose(1, 0, 0, kBegin, log);
  users.expose(1, 0, 0, kBegin + 5, log);
  users.expose(2, 0, 1, kBegin + 5'000, log);
  EXPECT_EQ(users.totals()[0].exposed, 1U);
  EXPECT_EQ(users.add(outcome(1), kBegin + 100, log), ExperimentCount::kAccepted);
  EXPECT_EQ(users.add(outcome(1), kBegin + 200, log), ExperimentCount::kAccepted);
  EXPECT_EQ(users.add(outcome(1, 1, 2.5), kBegin + 300, log), ExperimentCount::kAccepted);
  EXPECT_EQ(users.add(outcome(1, 1, 1.5), kBegin + 400, log), ExperimentCount::kAccepted);
  EXPECT_EQ(users.totals()[0].counted(), 0U);
  EXPECT_EQ(users.totals()[0].so_far[0], 1) << "binary: any";
  EXPECT_EQ(users.totals()[0].so_far[1], 4) << "a mean is of the users' sums";
  users.settle(kBegin + 9'999);
  EXPECT_EQ(users.totals()[0].counted(), 0U);
  users.settle(kBegin + 10'000);
  EXPECT_EQ(users.totals()[0].counted(), 1U);
  EXPECT_EQ(users.totals()[0].metrics[0].mean, 1);
  EXPECT_EQ(users.totals()[0].metrics[1].mean, 4);
  EXPECT_EQ(users.waiting(), 1U);
  EXPECT_EQ(users.add(outcome(1), kBegin + 10'001, log), ExperimentCount::kLate);
  users.expose(1, 0, 0, kBegin + 10'002, log);
  EXPECT_EQ(users.totals()[0].exposed, 1U) << "it comes back, and is no new one";
  users.settle(kBegin + 15'000);
  EXPECT_EQ(users.totals()[1].counted(), 1U);
  EXPECT_EQ(users.totals()[1].metrics[0].mean, 0) << "who does nothing counts too";
}

TEST(ExposedUsersTest, OutcomesAreRefusedForWhatTheyAre) {
  ExposedUsers users(plan());
  ExposedUsers::Log log;
  users.expose(1, 0, 0, kBegin, log);
  EXPECT_EQ(users.add(outcome(9), kBegin, log), ExperimentCount::kUnknown);
  EXPECT_EQ(users.add(of_request(9), kBegin, log), ExperimentCount::kUnknown);
  EXPECT_EQ(users.add(outcome(1, 1, 2, 55), kBegin, log), ExperimentCount::kAccepted);
  EXPECT_EQ(users.add(outcome(1, 1, 2, 55), kBegin, log), ExperimentCount::kDuplicate);
  Outcome early = outcome(1);
  early.at_ms = kBegin - 61'000;
  EXPECT_EQ(users.add(early, kBegin, log), ExperimentCount::kLate);
  early.at_ms = kBegin + 3'600'000;
  EXPECT_EQ(users.add(early, kBegin, log), ExperimentCount::kLate) << "it has not happened yet";
  early.at_ms = kBegin;
  EXPECT_EQ(users.add(early, kBegin + 9'000, log), ExperimentCount::kAccepted);
  EXPECT_EQ(users.totals()[0].so_far[1], 2);
  EXPECT_EQ(users.count(ExperimentCount::kUnknown), 2U);
  EXPECT_EQ(users.count(ExperimentCount::kLate), 2U);
  EXPECT_EQ(users.count(ExperimentCount::kDuplicate), 1U);
  EXPECT_EQ(users.count(ExperimentCount::kAccepted), 2U);
}

TEST(ExposedUsersTest, ARequestLeadsToItsUserWhileTheWindowIsOpen) {
  ExposedUsers users(plan());
  ExposedUsers::Log log;
  users.expose(1, 101, 0, kBegin, log);
  users.expose(1, 102, 0, kBegin + 1'000, log);
  EXPECT_EQ(users.add(of_request(102), kBegin + 2'000, log), ExperimentCount::kAccepted);
  EXPECT_EQ(users.totals()[0].so_far[0], 1);
  users.settle(kBegin + 10'500);
  EXPECT_EQ(users.add(of_request(102), kBegin + 10'500, log), ExperimentCount::kLate);
  EXPECT_EQ(users.add(of_request(101), kBegin + 10'500, log), ExperimentCount::kUnknown) << "forgotten";
}

TEST(ExposedUsersTest, RequestsWithoutUsersStandForThemselves) {
  ExposedUsers users(plan(true));
  ExposedUsers::Log log;
  users.expose(0, 101, 0, kBegin, log);
  users.expose(0, 102, 1, kBegin, log);
  users.expose(0, 0, 1, kBegin, log);
  EXPECT_EQ(users.count(ExperimentCount::kKeyless), 1U);
  EXPECT_EQ(users.add(of_request(102), kBegin, log), ExperimentCount::kAccepted);
  users.settle(kBegin + 10'000);
  EXPECT_EQ(users.totals()[1].metrics[0].mean, 1);
  EXPECT_EQ(users.size(), 0U) << "nothing is kept of them";
}

TEST(ExposedUsersTest, ItsMemoryIsBounded) {
  ExposedUsers::Plan bounded = plan();
  bounded.most_users = 3;
  bounded.most_requests = 2;
  ExposedUsers users(bounded);
  ExposedUsers::Log log;
  for (uint64_t user = 1; user <= 5; ++user) users.expose(user, 100 + user, 0, kBegin, log);
  EXPECT_EQ(users.totals()[0].exposed, 3U);
  EXPECT_TRUE(users.is_full());
  EXPECT_EQ(users.count(ExperimentCount::kFull), 2U);
  EXPECT_EQ(users.add(of_request(101), kBegin, log), ExperimentCount::kUnknown) << "the oldest request";
  EXPECT_EQ(users.add(of_request(103), kBegin, log), ExperimentCount::kAccepted);
}

TEST(ExposedUsersTest, UsersAreCountedWhenAnEventSaysSo) {
  ExposedUsers users(plan());
  ExposedUsers::Log log{ExposedUsers::settled_event(0)};
  users.apply(log.back());
  users.expose(1, 0, 0, kBegin, log);
  users.expose(2, 0, 1, kBegin + 60'000, log);
  // It came in within the window, and is taken later.
  EXPECT_EQ(users.add(outcome(1), kBegin + 1'000, log), ExperimentCount::kAccepted);
  EXPECT_FALSE(users.settle(kBegin + 9'000));
  expect_same(users, replayed(log));
  expect_same(users, replayed(users.snapshot()));
  EXPECT_TRUE(users.settle(kBegin + 20'000));
  log.push_back(ExposedUsers::settled_event(kBegin + 20'000));
  expect_same(users, replayed(log));
  expect_same(users, replayed(users.snapshot()));
  EXPECT_EQ(replayed(log).totals()[0].metrics[0].mean, 1);
  EXPECT_TRUE(replayed(users.snapshot()).is_told_to_settle());
}

TEST(ExposedUsersTest, EventsAndSnapshotsMakeTheSameAgain) {
  for (const bool by_request : {false, true}) {
    ExposedUsers users(plan(by_request));
    ExposedUsers::Log log;
    int64_t now = kBegin;
    for (uint64_t i = 1; i <= 200; ++i) {
      now += 100;
      users.settle(now);
      users.expose(i % 150 + 1, 1'000 + i, static_cast<uint8_t>(i % 2), now, log);
      Outcome made = outcome(0, static_cast<uint8_t>(i % 3 == 0), static_cast<double>(i), i % 5 == 0 ? i : 0);
      made.request = 1'000 + i - i % 7;
      users.add(made, now, log);
      users.add(of_request(5), now, log);
    }
    ExposedUsers again = replayed(log, by_request);
    again.settle(now);
    expect_same(users, again);
    ExposedUsers from_snapshot = replayed(users.snapshot(), by_request);
    expect_same(users, from_snapshot);
    users.settle(now + 10'000);
    from_snapshot.settle(now + 10'000);
    expect_same(users, from_snapshot);
  }
}

}  // namespace
}  // namespace modelmill
