#include "schedule/admission.h"

#include <gtest/gtest.h>

namespace modelmill {
namespace {

using namespace std::chrono_literals;
using Verdict = Admission::Verdict;

const TimePoint kT0{100s};

/// Each row takes 1 ms, alone or together.
CostCurve one_ms_a_row(int64_t max_rows) {
  CostCurve curve(max_rows);
  for (int64_t rows = 1; rows <= max_rows; rows *= 2)
    for (int i = 0; i < 5; ++i) curve.learn(rows, rows * 1ms);
  return curve;
}

struct AdmissionCase {
  const char* what;
  Duration objective;
  WorkAhead ahead;
  Duration deadline;  // from now; 0: none
  Verdict verdict;
};

const AdmissionCase kAdmissionCases[] = {
    {"nothing asked for", 0ms, {1'000, 1, 0}, 0ms, Verdict::kAdmitted},
    {"an idle lane", 10ms, {0, 1, 1}, 0ms, Verdict::kAdmitted},
    {"few in front", 10ms, {2, 1, 0}, 0ms, Verdict::kAdmitted},
    {"too many in front", 10ms, {20, 1, 0}, 0ms, Verdict::kMissesObjective},
    {"two lanes do twice as many", 10ms, {14, 2, 0}, 0ms, Verdict::kAdmitted},
    {"too many for two", 10ms, {30, 2, 0}, 0ms, Verdict::kMissesObjective},
    {"a deadline that can be met", 0ms, {10, 1, 0}, 20ms, Verdict::kAdmitted},
    {"one that can't", 0ms, {30, 1, 0}, 20ms, Verdict::kMissesDeadline},
    {"one that can't, with an idle lane", 0ms, {30, 2, 1}, 20ms, Verdict::kAdmitted},
    {"an objective that can't be held", 1500us, {100, 1, 0}, 0ms, Verdict::kAdmitted},
    {"no instance at all", 10ms, {100, 0, 0}, 0ms, Verdict::kAdmitted},
};

TEST(Admission, Table) {
  const CostCurve cost = one_ms_a_row(4);
  for (const AdmissionCase& c : kAdmissionCases) {
    const BatchPolicy policy{.max_rows = 4, .objective = c.objective};
    const TimePoint deadline = c.deadline > 0ms ? kT0 + c.deadline : kNever;
    const Admission admission = admit(policy, c.ahead, &cost, kT0, deadline, 0.9);
    EXPECT_EQ(static_cast<int>(admission.verdict), static_cast<int>(c.verdict)) << c.what;
    if (c.verdict != Verdict::kAdmitted) {
      EXPECT_GT(admission.expected, 5ms) << c.what;
    }
  }
}

TEST(Admission, WhatIsNotKnownIsAdmitted) {
  const BatchPolicy policy{.max_rows = 4, .objective = 10ms};
  const CostCurve unknown(4);
  EXPECT_EQ(admit(policy, {1'000, 1, 0}, &unknown, kT0, kT0 + 1ms, 0.9).verdict, Verdict::kAdmitted);
  EXPECT_EQ(admit(policy, {1'000, 1, 0}, nullptr, kT0, kT0 + 1ms, 0.9).verdict, Verdict::kAdmitted);
}

TEST(Admission, GoesByTheRowsThatBatchesHave) {
  CostCurve cost(8);
  for (int64_t rows = 1; rows <= 8; rows *= 2)
    for (int i = 0; i < 5; ++i) cost.learn(rows, 2ms);  // whatever they are
  const BatchPolicy policy{.max_rows = 8, .objective = 20ms};
  EXPECT_EQ(admit(policy, {40, 1, 0}, &cost, kT0, kNever, 0.9).verdict, Verdict::kAdmitted);
  EXPECT_EQ(admit(policy, {40, 1, 0}, &cost, kT0, kNever, 0.9, 4).verdict, Verdict::kMissesObjective);
  EXPECT_EQ(admit(policy, {20, 1, 0}, &cost, kT0, kNever, 0.9, 4).verdict, Verdict::kAdmitted);
}

TEST(Admission, ARequestTakesTheTimeOfWhatItIsFilledUpTo) {
  const CostCurve cost = one_ms_a_row(4);
  EXPECT_EQ(too_late_before({.max_rows = 4, .allowed = {4}, .objective = 10ms}, &cost, kT0), kT0 - 6ms);
  EXPECT_EQ(too_late_before({.max_rows = 4, .allowed = {4}, .objective = 7ms}, &cost, kT0), TimePoint::min())
      << "it can't be held";
}

TEST(Admission, TooLate) {
  const CostCurve cost = one_ms_a_row(4);
  EXPECT_EQ(too_late_before({.max_rows = 4, .objective = 10ms}, &cost, kT0), kT0 - 9ms);
  EXPECT_EQ(too_late_before({.max_rows = 4}, &cost, kT0), TimePoint::min());
  EXPECT_EQ(too_late_before({.max_rows = 4, .objective = 1500us}, &cost, kT0), TimePoint::min());
  EXPECT_EQ(too_late_before({.max_rows = 4, .objective = 10ms}, nullptr, kT0), TimePoint::min());
}

}  // namespace
}  // namespace modelmill
