#include "lifecycle/cost_measure.h"

#include <algorithm>

namespace modelmill {
namespace {

/// One that pays for what a runtime does at first use of a size, and those that count.
constexpr int kRuns = 4;

}  // namespace

std::vector<int64_t> sizes_to_measure(int64_t max_rows, const std::vector<int64_t>& allowed) {
  if (!allowed.empty()) return allowed;
  std::vector<int64_t> sizes;
  for (int64_t rows = 1; rows < max_rows; rows *= 2) sizes.push_back(rows);
  sizes.push_back(max_rows);
  return sizes;
}

std::vector<CostPoint> measure_costs(BackendInstance& instance, const std::string& model, int64_t version,
                                     const DirectRequest& row, std::span<const int64_t> sizes, Duration budget,
                                     TimeSource& time) {
  std::vector<CostPoint> points;
  const TimePoint end = time.now() + budget;
  for (const int64_t rows : sizes) {
    const std::vector<DirectRequest> requests(static_cast<size_t>(rows), row);
    CostPoint point{static_cast<double>(rows), Duration::max(), {}, 0};
    Duration total{};
    for (int run = 0; run < kRuns; ++run) {
      const TimePoint begin = time.now();
      const auto answers = run_directly(instance, model, version, requests);
      const Duration took = time.now() - begin;
      if (!std::all_of(answers.begin(), answers.end(), [](const auto& answer) { return answer.ok(); })) return points;
      // What disturbed a run made it longer: the shortest is the model's.
      point.mean = std::min(point.mean, took);
      point.p99 = std::max(point.p99, run == 0 ? Duration{} : took);
      point.executions = run + 1;
      total += took;
      if (time.now() + took > end) break;
    }
    points.push_back(point);
    if (time.now() + 2 * kRuns * point.mean > end) break;
  }
  return points;
}

}  // namespace modelmill
