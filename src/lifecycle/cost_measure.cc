#include "lifecycle/cost_measure.h"

#include <algorithm>

namespace modelmill {
namespace {

/// One that pays for what a runtime does at first use of a size, and those that count.
constexpr int kRuns = 4;

}  // namespace

std::vector<CostPoint> measure_costs(BackendInstance& instance, const std::string& model, int64_t version,
                                     const DirectRequest& row, int64_t max_rows, Duration budget, TimeSource& time) {
  std::vector<CostPoint> points;
  const TimePoint end = time.now() + budget;
  for (int64_t rows = 1;; rows = std::min(rows * 2, max_rows)) {
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
    if (rows >= max_rows || time.now() + 2 * kRuns * point.mean > end) return points;
  }
}

}  // namespace modelmill
