#include "schedule/cost_curve.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace modelmill {
namespace {

/// A moving mean is that of about so many executions.
constexpr int64_t kRemembered = 32;
/// An execution that took longer than this many times the mean tells of the machine and not of the model.
constexpr double kOutlier = 4;
/// A rate this close to the best is as good.
constexpr double kNearlyBest = 0.95;
/// Growing ends where the rate has fallen this far below the best.
constexpr double kStillPromising = 0.85;
/// What was learned of a size so many executions ago counts as one execution.
constexpr int64_t kStale = 100;
/// In so many executions a few look above, and one below, what is best.
constexpr int64_t kLookAgain = 256;

Duration duration(double ns) { return std::chrono::nanoseconds(static_cast<int64_t>(ns)); }

}  // namespace

void CostCurve::Histogram::add(Duration time, uint16_t times) {
  const double us = static_cast<double>(to_ns(time)) / 1e3;
  const double cell = us <= 1 ? 0 : std::ceil(kCellsForEachDouble * std::log2(us));
  const auto i = std::min(kCells - 1, static_cast<size_t>(cell));
  cells[i] = static_cast<uint16_t>(cells[i] + times);
  total += times;
  if (total < kFull) return;
  total = 0;
  for (uint16_t& count : cells) total += count = static_cast<uint16_t>(count / 2);
}

Duration CostCurve::Histogram::quantile(double q) const {
  auto above = static_cast<uint32_t>(std::floor((1 - q) * total));
  for (size_t i = kCells; i-- > 0;) {
    if (cells[i] > above) return duration(1e3 * std::exp2(static_cast<double>(i) / kCellsForEachDouble));
    above -= cells[i];
  }
  return {};
}

double CostCurve::SizeClass::rate() const { return rows / (ns + kHandOverNs) * 1e9; }

CostCurve::CostCurve(int64_t max_rows) : max_rows_(std::max<int64_t>(1, max_rows)) {
  classes_.resize(class_of(max_rows_) + 1);
}

size_t CostCurve::class_of(int64_t rows) {
  return static_cast<size_t>(std::bit_width(static_cast<uint64_t>(std::max<int64_t>(1, rows)) - 1));
}

void CostCurve::add(SizeClass& c, int64_t rows, double ns) {
  if (c.executions == 1 && ns < c.ns) {
    // The first of a size pays for memory and plans that the next ones find ready.
    c.rows = static_cast<double>(rows);
    c.ns = ns;
  } else {
    const double weight = 1.0 / static_cast<double>(std::min(c.executions + 1, kRemembered));
    if (c.executions > 0) ns = std::min(ns, kOutlier * c.ns);
    c.rows += (static_cast<double>(rows) - c.rows) * weight;
    c.ns += (ns - c.ns) * weight;
  }
  ++c.executions;
  ++c.all;
}

void CostCurve::learn(int64_t rows, Duration time) {
  const size_t index = class_of(rows);
  // A request of more rows than a batch may have runs alone; it says nothing of batches.
  if (index >= classes_.size()) return;
  SizeClass& c = classes_[index];
  const auto ns = static_cast<double>(std::max<int64_t>(1, to_ns(time)));
  if (borrowed_) scale(ns / static_cast<double>(to_ns(expected(rows))));
  if (learned_ - c.seen > kStale) c.executions = std::min<int64_t>(c.executions, 1);
  add(c, rows, ns);
  c.seen = learned_;
  c.times.add(time);
  ++learned_;
  decide();
}

void CostCurve::seed(std::span<const CostPoint> points) {
  for (const CostPoint& point : points) {
    const size_t index = class_of(static_cast<int64_t>(std::ceil(point.rows)));
    if (index >= classes_.size() || point.executions <= 0 || point.rows < 1 || point.mean <= Duration{}) continue;
    SizeClass& c = classes_[index];
    c.rows = point.rows;
    c.ns = static_cast<double>(to_ns(point.mean));
    c.executions = std::min(point.executions, 2 * kEnough);
    c.all = point.executions;
    c.times.add(point.mean, static_cast<uint16_t>(c.executions));
    if (point.p99 > point.mean) c.times.add(point.p99);
    learned_ += c.executions;
  }
  for (SizeClass& c : classes_) c.seen = learned_;
  decide();
}

void CostCurve::borrow(const CostCurve& other) {
  if (!other.known() || known()) return;
  classes_ = other.classes_;
  learned_ = 1;
  borrowed_ = true;
  decide();
}

/// What was borrowed becomes this class's, times `factor`.
void CostCurve::scale(double factor) {
  borrowed_ = false;
  for (SizeClass& c : classes_) {
    if (c.executions == 0) continue;
    c.ns = std::max(1.0, c.ns * factor);
    c.executions = std::min(c.executions, kEnough);
    c.times = {};
    c.times.add(duration(c.ns));
  }
}

const CostCurve::SizeClass* CostCurve::last_known() const {
  for (size_t i = classes_.size(); i-- > 0;)
    if (classes_[i].executions > 0) return &classes_[i];
  return nullptr;
}

Duration CostCurve::expected(int64_t rows) const {
  const auto wanted = static_cast<double>(rows);
  const SizeClass* below = nullptr;
  for (const SizeClass& c : classes_) {
    if (c.executions == 0) continue;
    if (c.rows >= wanted) {
      if (!below || c.rows <= below->rows) return duration(c.ns);
      const double share = (wanted - below->rows) / (c.rows - below->rows);
      return duration(below->ns + (c.ns - below->ns) * share);
    }
    below = &c;
  }
  return below ? duration(below->ns * wanted / below->rows) : kUnknown;
}

Duration CostCurve::p99(int64_t rows) const {
  const Duration mean = expected(rows);
  if (mean == kUnknown) return kUnknown;
  // The spread of the nearest size that is known, at or above; else of the largest.
  const SizeClass* nearest = nullptr;
  for (size_t i = std::min(class_of(rows), classes_.size() - 1); i < classes_.size() && !nearest; ++i)
    if (classes_[i].executions > 0) nearest = &classes_[i];
  if (!nearest) nearest = last_known();
  const double spread = static_cast<double>(to_ns(nearest->times.quantile(0.99))) / nearest->ns;
  return duration(static_cast<double>(to_ns(mean)) * std::max(1.0, spread));
}

double CostCurve::rate(int64_t rows) const {
  const Duration mean = expected(rows);
  return mean == kUnknown ? 0 : static_cast<double>(rows) / (static_cast<double>(to_ns(mean)) + kHandOverNs) * 1e9;
}

void CostCurve::decide() {
  double best = 0;
  size_t last = 0;
  for (size_t i = 0; i < classes_.size(); ++i) {
    if (classes_[i].executions < kEnough) continue;
    best = std::max(best, classes_[i].rate());
    last = i;
  }
  const auto size_of = [this](size_t i) { return std::min(max_rows_, int64_t{1} << i); };
  if (best == 0) {
    worth_ = 1;
    probe_ = 1;
    return;
  }
  for (size_t i = 0; i <= last; ++i) {
    if (classes_[i].executions < kEnough || classes_[i].rate() < kNearlyBest * best) continue;
    worth_ = size_of(i);
    break;
  }
  const bool promising = classes_[last].rate() >= kStillPromising * best;
  probe_ = promising && last + 1 < classes_.size() ? size_of(last + 1) : 0;
}

int64_t CostCurve::limit() const {
  if (probe_ > 0) return std::max(worth_, probe_);
  const int64_t at = learned_ % kLookAgain;
  if (at < kEnough) return std::min(max_rows_, worth_ * 2);
  if (at >= kLookAgain / 2 && at < kLookAgain / 2 + kEnough) return std::max<int64_t>(1, worth_ / 2);
  return worth_;
}

std::vector<CostPoint> CostCurve::points() const {
  std::vector<CostPoint> points;
  for (const SizeClass& c : classes_)
    if (c.executions > 0) points.push_back({c.rows, duration(c.ns), c.times.quantile(0.99), c.all});
  return points;
}

}  // namespace modelmill
