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
constexpr Duration kRest = std::chrono::seconds(30);
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
    const double in_flight = static_cast<double>(served.success.ns - busy_ns_) / 1e9 / seconds;
    const double rows = std::max(1.0, in_flight * static_cast<double>(served.inference_count - rows_) / requests);
    rows_in_flight_ = rows_in_flight_ == 0 ? rows : (1 - kLatest) * rows_in_flight_ + kLatest * rows;
  }
  if (!seen_) first_requests_ = served.success.count;
  seen_ = now;
  requests_ = served.success.count;
  rows_ = served.inference_count;
  busy_ns_ = served.success.ns;
}

RuntimeChooser::Step RuntimeChooser::observe(TimePoint now, const VersionStats::View& served) {
  meet(now, served);
  if (given_up_ || rows_in_flight_ == 0) return {};
  if (!known_) {
    if (requests_ - first_requests_ < kEnoughRequests) return {};
    return {Step::Kind::kCompare};
  }
  if (changed_ && now - *changed_ < kRest) return {};
  const RuntimeChoice choice = choose_runtime(known_->report.candidates, current_, rows_in_flight_);
  if (choice.gain < (changed_ ? kLaterGain : kFirstGain)) return {};
  const RuntimeLayout& best = known_->report.candidates[choice.best].layout;
  if (best == current_) return {};
  changed_ = now;
  return {Step::Kind::kSwap, best,
          decimal("%.2f", choice.gain) + " times the rate of " + layout_text(current_) + ", with " +
              decimal("%.1f", rows_in_flight_) + " rows in flight"};
}

void RuntimeChooser::swapped(const RuntimeLayout& layout) { current_ = layout; }

void RuntimeChooser::not_swapped(const RuntimeLayout& layout, const std::string& why) {
  auto known = std::make_shared<RuntimeKnowledge>(*known_);
  for (RuntimeCandidate& candidate : known->report.candidates)
    if (candidate.layout == layout) candidate.excluded = why;
  known_ = std::move(known);
}

RuntimeReport with_choice(RuntimeReport report, const RuntimeLayout& chosen, std::string reason) {
  report.chosen = chosen;
  report.reason = std::move(reason);
  return report;
}

}  // namespace modelmill
