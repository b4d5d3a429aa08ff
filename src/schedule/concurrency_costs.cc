#include "schedule/concurrency_costs.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <utility>

namespace modelmill {
namespace {

/// An execution beside a number of others that changed meanwhile is told apart by a mean far from a whole one.
constexpr double kWhole = 0.2;

/// What more side by side may cost, beside what they take from each other.
constexpr double kLost = 1.1;

Duration times(Duration time, double factor) {
  return std::chrono::nanoseconds(static_cast<int64_t>(static_cast<double>(to_ns(time)) * factor));
}

}  // namespace

void ConcurrencyCosts::seed(std::span<const CostPoint> alone, TimePoint now) {
  CostCurve curve(max_rows_);
  curve.seed(alone);
  if (!curve.known()) return;
  Level level{std::move(curve), kEnough, now};
  for (const CostPoint& point : level.curve.points()) level.largest = std::max(level.largest, point.rows);
  levels_.insert_or_assign(1, std::move(level));
}

void ConcurrencyCosts::learn(double running, int64_t rows, Duration time, TimePoint now) {
  if (rows > max_rows_) return;  // ran alone, and says nothing of batches
  const double whole = std::round(running);
  if (whole < 1 || std::abs(running - whole) > kWhole) return;
  const int key = static_cast<int>(whole);
  auto it = levels_.find(key);
  if (it != levels_.end() && now - it->second.seen > kForgottenAfter) it = levels_.erase(it), it = levels_.end();
  if (it == levels_.end()) {
    if (levels_.size() >= kMostLevels)
      levels_.erase(std::min_element(levels_.begin(), levels_.end(),
                                     [](const auto& a, const auto& b) { return a.second.seen < b.second.seen; }));
    it = levels_.emplace(key, Level{CostCurve(max_rows_), 0, now}).first;
  }
  Level& level = it->second;
  level.curve.learn(rows, time);
  level.largest = std::max(level.largest, static_cast<double>(rows));
  level.seen = now;
  ++level.executions;
}

bool ConcurrencyCosts::counts(const Level& level, TimePoint now) const {
  return level.executions >= kEnough && now - level.seen <= kForgottenAfter;
}

bool ConcurrencyCosts::measured(int running, TimePoint now) const {
  const auto it = levels_.find(running);
  return it != levels_.end() && counts(it->second, now);
}

std::vector<int> ConcurrencyCosts::measured_levels(TimePoint now) const {
  std::vector<int> out;
  for (const auto& [running, level] : levels_)
    if (counts(level, now)) out.push_back(running);
  return out;
}

int64_t ConcurrencyCosts::executions(int running, TimePoint now) const {
  const auto it = levels_.find(running);
  return it == levels_.end() || now - it->second.seen > kForgottenAfter ? 0 : it->second.executions;
}

int64_t ConcurrencyCosts::largest_seen(TimePoint now) const {
  double largest = 0;
  for (const auto& [running, level] : levels_)
    if (now - level.seen <= kForgottenAfter) largest = std::max(largest, level.largest);
  return static_cast<int64_t>(largest);
}

/// The level to go by: of those that count the nearest, of equals the lower; where none counts, of all.
ConcurrencyCosts::Levels::const_iterator ConcurrencyCosts::nearest(int running, TimePoint now) const {
  auto best = levels_.end();
  for (const bool all : {false, true}) {
    for (auto it = levels_.begin(); it != levels_.end(); ++it) {
      if (!all && !counts(it->second, now)) continue;
      if (best == levels_.end() || std::abs(it->first - running) < std::abs(best->first - running)) best = it;
    }
    if (best != levels_.end()) break;
  }
  return best;
}

Duration ConcurrencyCosts::at(const Level& level, int64_t rows, bool tail, TimePoint now) const {
  const auto read = [tail](const Level& l, int64_t n) { return tail ? l.curve.p99(n) : l.curve.expected(n); };
  const auto known = static_cast<int64_t>(level.largest);
  if (rows <= known) return read(level, rows);
  // Larger batches than were seen so grow as they do where they were seen.
  const Level* other = nullptr;
  for (const auto& [running, candidate] : levels_)
    if (candidate.largest > level.largest && counts(candidate, now) && (!other || candidate.largest > other->largest))
      other = &candidate;
  if (!other) {
    // Twice as many as were seen take as much more as these took than half of them; beyond that each row costs the
    // same.
    if (known < 2) return read(level, rows);
    const double last = to_seconds(read(level, known)), half = to_seconds(read(level, known / 2));
    const int64_t more = known - known / 2;
    const double row = std::max(0.0, last - half) / static_cast<double>(more);
    const auto near = static_cast<double>(std::min(rows, 2 * known));
    const double seconds = (last + row * (near - static_cast<double>(known))) * static_cast<double>(rows) / near;
    return std::chrono::nanoseconds(static_cast<int64_t>(seconds * 1e9));
  }
  const double grows = to_seconds(other->curve.expected(rows)) / to_seconds(other->curve.expected(known));
  return times(read(level, known), std::max(1.0, grows));
}

ConcurrencyCosts::Estimate ConcurrencyCosts::estimate(int running, int64_t rows, TimePoint now) const {
  const auto it = nearest(running, now);
  if (it == levels_.end()) return {CostCurve::kUnknown, CostCurve::kUnknown, CostCurve::kUnknown, false};
  const auto& [key, level] = *it;
  Estimate out;
  out.expected = out.worst = at(level, rows, false, now);
  out.p99 = at(level, rows, true, now);
  out.measured = key == running && counts(level, now);
  if (running > key) {
    const double slower = kLost * static_cast<double>(running) / key;
    out.worst = times(out.worst, slower);
    out.p99 = times(out.p99, slower);
  }
  return out;
}

}  // namespace modelmill
