#include "lifecycle/runtime_choice.h"

#include <algorithm>

namespace modelmill {
namespace {

/// Less is noise.
constexpr double kAlike = 1.02;
/// Instances that are made where nobody said how many.
constexpr int kMostInstances = 64;

}  // namespace

std::vector<RuntimeLayout> layouts_to_try(const std::string& backend, int cores, int threads, int instances) {
  std::vector<int> counts{threads};
  if (threads <= 0) counts = {1, cores / 8, cores / 2, cores};
  std::vector<RuntimeLayout> out;
  for (const int count : counts) {
    if (count < 1) continue;
    const int fitting = std::clamp(cores / count, 1, kMostInstances);
    const RuntimeLayout layout{backend, count, instances > 0 ? instances : fitting};
    if (std::find(out.begin(), out.end(), layout) == out.end()) out.push_back(layout);
  }
  return out;
}

double served_rate(const RuntimeCandidate& candidate, double rows_in_flight) {
  if (!candidate.excluded.empty() || candidate.timings.empty()) return 0;
  const double instances = std::max(candidate.layout.instances, 1);
  if (rows_in_flight < instances) {
    // Each runs alone, on some of the instances only.
    const RuntimeTiming& alone = candidate.timings.front();
    return alone.rows_per_second / instances * std::max(rows_in_flight, 1.0);
  }
  double rate = candidate.timings.front().rows_per_second;
  for (const RuntimeTiming& timing : candidate.timings)
    if (static_cast<double>(timing.rows) <= rows_in_flight / instances) rate = std::max(rate, timing.rows_per_second);
  return rate;
}

RuntimeChoice choose_runtime(const std::vector<RuntimeCandidate>& candidates, const RuntimeLayout& current,
                             double rows_in_flight, double other_layout) {
  RuntimeChoice out;
  double best = 0, best_weighed = 0, now = 0;
  for (size_t i = 0; i < candidates.size(); ++i) {
    const RuntimeLayout& layout = candidates[i].layout;
    const double rate = served_rate(candidates[i], rows_in_flight);
    if (layout == current) now = rate;
    const bool laid_out_alike = layout.threads == current.threads && layout.instances == current.instances;
    const double weighed = laid_out_alike ? rate : rate / other_layout;
    if (weighed <= best_weighed * kAlike) continue;
    best = rate;
    best_weighed = weighed;
    out.best = i;
  }
  // What isn't among them was never measured; it is taken for the reference.
  if (now <= 0) now = served_rate(candidates.front(), rows_in_flight);
  if (now <= 0) return out;
  if (best_weighed <= now * kAlike) {
    const auto is_current = [&](const RuntimeCandidate& candidate) { return candidate.layout == current; };
    const auto at = std::find_if(candidates.begin(), candidates.end(), is_current);
    if (at == candidates.end()) return {out.best, 1};
    return {static_cast<size_t>(at - candidates.begin()), 1};
  }
  out.gain = best / now;
  return out;
}

}  // namespace modelmill
