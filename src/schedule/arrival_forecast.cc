#include "schedule/arrival_forecast.h"

#include <cmath>

namespace modelmill {
namespace {

/// Where cells end, in microseconds; more than there are.
const std::array<double, 64> kEnds = [] {
  std::array<double, 64> ends{};
  for (size_t i = 0; i < ends.size(); ++i) ends[i] = std::exp2(static_cast<double>(i) / 2);
  return ends;
}();

double microseconds(Duration time) { return static_cast<double>(to_ns(time)) / 1e3; }

}  // namespace

void ArrivalForecast::Gaps::add(size_t cell) {
  ++cells[cell];
  if (++total < kFull) return;
  total = 0;
  for (uint16_t& count : cells) total += count = static_cast<uint16_t>(count / 2);
}

void ArrivalForecast::arrived(int64_t rows, uint64_t shape_class, int64_t in_flight, TimePoint now) {
  const double us = microseconds(now - last_);
  const double cell = us <= 1 ? 0 : std::ceil(2 * std::log2(us));
  const bool follows = last_ != TimePoint{} && shape_class == shape_class_ && cell < kCells - 1;
  gaps_->add(follows ? static_cast<size_t>(cell) : kCells - 1);
  gaps_ = &after_request_;
  if (++arrivals_ >= kRemembered) {
    arrivals_ = 0;
    most_before_ = most_;
    most_ = 0;
  }
  most_ = std::max(most_, in_flight);
  mean_rows_ += (static_cast<double>(rows) - mean_rows_) / (last_ == TimePoint{} ? 1 : kRemembered);
  shape_class_ = shape_class;
  last_ = std::max(last_, now);
}

Duration ArrivalForecast::patience(Duration worth, TimePoint now) const {
  const auto& [cells, total] = *gaps_;
  if (total < kEnough || worth <= Duration{}) return {};
  const double waited = std::max(0.0, microseconds(now - last_)), gain = microseconds(worth);
  double all = 0;  // that came later than what was waited already
  for (size_t i = 0; i < kCells; ++i)
    if (kEnds[i] > waited || i + 1 == kCells) all += cells[i];
  if (all == 0) return {};
  double came = 0, spent = 0, best = 0, patience = 0;
  for (size_t i = 0; i + 1 < kCells && kEnds[i] < waited + gain; ++i) {
    if (kEnds[i] <= waited) continue;
    came += cells[i];
    spent += cells[i] * (kEnds[i] - waited);
    const double net = came * gain - kDearer * (spent + (all - came) * (kEnds[i] - waited));
    if (net > best) best = net, patience = kEnds[i];
  }
  return std::chrono::nanoseconds(static_cast<int64_t>(patience * 1e3));
}

}  // namespace modelmill
