#include "lifecycle/runtime_chooser.h"

#include <algorithm>
#include <cstdio>
#include <utility>

#include "lifecycle/runtime_choice.h"

namespace modelmill {
namespace {

/// Requests that must have been answered before the runtimes are compared: what nobody uses costs nothing.
constexpr uint64_t kEnoughRequests = 16;
/// What another layout must bring: at first, and when one was chosen already.
constexpr double kFirstGain = 1.1;
constexpr double kLaterGain = 1.2;
/// How much more that must be of the same runtime with the cores shared out otherwise: beside traffic such comparisons
/// promise what does not come.
constexpr double kOtherLayout = 1.15;
constexpr Duration kRest = std::chrono::seconds(30);
/// Looks at which clients were served that make a window, and those after a change that do not count.
constexpr int kWindow = 3;
constexpr int kSettling = 2;
/// What clients must get of a change, in one window of so many; it stays where so many can't be judged.
constexpr double kWorthKeeping = 1.03;
constexpr int kWindows = 2;
constexpr int kMostUnlike = 10;
constexpr Duration kTryAgainAfter = std::chrono::minutes(10);
/// The weight of the latest look in the mean of rows in flight.
constexpr double kLatest = 0.3;

std::string decimal(const char* format, double number) {
  char text[32];
  std::snprintf(text, sizeof text, format, number);
  return text;
}

}  // namespace

void RuntimeChooser::meet(TimePoint now, const VersionStats::View& served) {
  if (seen_ && now > *seen_ && served.success.count > requests_) {
    // Little's law: requests in flight are their rate times the time that each takes.
    const double seconds = to_seconds(now - *seen_);
    const auto requests = static_cast<double>(served.success.count - requests_);
    const double busy = static_cast<double>(served.success.ns - busy_ns_) / 1e9;
    const double rows = std::max(1.0, busy / seconds * static_cast<double>(served.inference_count - rows_) / requests);
    rows_in_flight_ = rows_in_flight_ == 0 ? rows : (1 - kLatest) * rows_in_flight_ + kLatest * rows;
    if (skip_ > 0) {
      --skip_;
    } else {
      if (!probation_ && looks_ >= kWindow) begin_window(0);
      window_ += {seconds, requests, busy};
      ++looks_;
    }
  }
  if (!seen_) first_requests_ = served.success.count;
  seen_ = now;
  requests_ = served.success.count;
  rows_ = served.inference_count;
  busy_ns_ = served.success.ns;
}

void RuntimeChooser::begin_window(int skip) {
  window_ = {};
  looks_ = 0;
  skip_ = skip;
}

RuntimeChooser::Step RuntimeChooser::observe(TimePoint now, const VersionStats::View& served) {
  meet(now, served);
  if (given_up_ || rows_in_flight_ == 0) return {};
  if (!known_) {
    if (requests_ - first_requests_ < kEnoughRequests) return {};
    return {Step::Kind::kCompare};
  }
  if (looks_ < kWindow) return {};
  if (taken_back_) return look_back(now);
  return probation_ ? judge(now) : look_for_better(now);
}

RuntimeChooser::Step RuntimeChooser::look_for_better(TimePoint now) {
  if (changed_ && now - *changed_ < kRest) return {};
  std::erase_if(rejected_, [&](const auto& rejected) { return rejected.second <= now; });
  std::vector<RuntimeCandidate> candidates = known_->report.candidates;
  for (RuntimeCandidate& candidate : candidates)
    for (const auto& [layout, until] : rejected_)
      if (candidate.layout == layout) candidate.excluded = candidate.seen;
  const RuntimeChoice choice = choose_runtime(candidates, current_, rows_in_flight_, kOtherLayout);
  const RuntimeLayout& best = candidates[choice.best].layout;
  const double needed = (changed_ ? kLaterGain : kFirstGain) * (same_runtime(best, current_) ? kOtherLayout : 1);
  if (best == current_ || choice.gain < needed) return {};
  changed_ = now;
  swapping_from_ = current_;
  return {Step::Kind::kSwap, best,
          decimal("%.2f", choice.gain) + " times the rate of " + layout_text(current_) + ", with " +
              decimal("%.1f", rows_in_flight_) + " rows in flight"};
}

/// A change that promised much has been there for a window.
RuntimeChooser::Step RuntimeChooser::judge(TimePoint now) {
  Probation& probation = *probation_;
  const std::string before = layout_text(probation.before);
  if (const auto gain = seen_gain(probation.served_before, window_)) {
    ++probation.windows;
    if (*gain > probation.best) {
      probation.best = *gain;
      probation.served = window_;
    }
  } else {
    ++probation.unlike;
  }
  begin_window(0);
  const bool kept = probation.best >= kWorthKeeping;
  if (!kept && probation.windows < kWindows && probation.unlike < kMostUnlike) return {};
  const std::string times =
      "clients got " + decimal("%.2f", probation.best) + " times of what " + before + " gave them";
  if (kept || probation.windows < kWindows) {
    note(current_, kept ? times : "the traffic has changed, so it can't be told what it brought over " + before);
    probation_.reset();
    return {Step::Kind::kJudged};
  }
  note(current_, times + ", so it was taken back");
  taken_back_ = TakenBack{current_, probation.served};
  rejected_.emplace_back(current_, now + kTryAgainAfter);
  changed_ = now;
  const RuntimeLayout back = probation.before;
  const std::string reason = layout_text(current_) + " promised more, but " + times;
  probation_.reset();
  return {Step::Kind::kSwap, back, reason};
}

/// What was taken back was held to what clients got before it. Now there is also what they get after it.
RuntimeChooser::Step RuntimeChooser::look_back(TimePoint now) {
  const TakenBack back = *std::exchange(taken_back_, std::nullopt);
  const auto gain = seen_gain(window_, back.served);
  if (!gain || *gain < kWorthKeeping) return {};
  const std::string times =
      "clients got " + decimal("%.2f", *gain) + " times of what " + layout_text(current_) + " gives them since";
  note(back.layout, times);
  std::erase_if(rejected_, [&](const auto& rejected) { return rejected.first == back.layout; });
  changed_ = now;
  return {Step::Kind::kSwap, back.layout, times};
}

/// Has the report tell what clients saw of a layout.
void RuntimeChooser::note(const RuntimeLayout& layout, const std::string& seen) {
  auto known = std::make_shared<RuntimeKnowledge>(*known_);
  for (RuntimeCandidate& candidate : known->report.candidates)
    if (candidate.layout == layout) candidate.seen = seen;
  known_ = std::move(known);
}

void RuntimeChooser::compared(std::shared_ptr<const RuntimeKnowledge> known) {
  known_ = std::move(known);
  begin_window(1);
}

void RuntimeChooser::swapped(const RuntimeLayout& layout) {
  if (swapping_from_) probation_ = Probation{*swapping_from_, window_};
  swapping_from_.reset();
  current_ = layout;
  begin_window(kSettling);
}

void RuntimeChooser::not_swapped(const RuntimeLayout& layout, const std::string& why) {
  auto known = std::make_shared<RuntimeKnowledge>(*known_);
  for (RuntimeCandidate& candidate : known->report.candidates)
    if (candidate.layout == layout) candidate.excluded = why;
  known_ = std::move(known);
  swapping_from_.reset();
  taken_back_.reset();
}

RuntimeReport with_choice(RuntimeReport report, const RuntimeLayout& chosen, std::string reason) {
  report.chosen = chosen;
  report.reason = std::move(reason);
  return report;
}

}  // namespace modelmill
