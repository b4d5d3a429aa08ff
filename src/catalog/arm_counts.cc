#include "catalog/arm_counts.h"

#include <algorithm>

namespace modelmill {
namespace {

LatencyCounts since(const LatencyCounts& now, const LatencyCounts& before) {
  const bool anew = total_of(now) < total_of(before);
  LatencyCounts out = now;
  for (size_t bucket = 0; !anew && bucket < std::min(out.size(), before.size()); ++bucket)
    out[bucket] -= std::min(out[bucket], before[bucket]);
  return out;
}

}  // namespace

CopyCounts counted_since(const CopyCounts& now, const CopyCounts& before) {
  if (now.answered() < before.answered()) return now;
  CopyCounts out;
  out.compared = now.compared - std::min(now.compared, before.compared);
  out.disagreed = now.disagreed - std::min(now.disagreed, before.disagreed);
  out.failed = now.failed - std::min(now.failed, before.failed);
  out.shed = now.shed - std::min(now.shed, before.shed);
  out.not_compared = now.not_compared - std::min(now.not_compared, before.not_compared);
  return out;
}

void add_to(CopyCounts& into, const CopyCounts& more) {
  into.compared += more.compared;
  into.disagreed += more.disagreed;
  into.failed += more.failed;
  into.shed += more.shed;
  into.not_compared += more.not_compared;
}

ArmCounts counted_since(const ArmCounts& now, const ArmCounts& before) {
  ArmCounts out;
  const bool anew = now.requests < before.requests;
  out.requests = anew ? now.requests : now.requests - before.requests;
  out.errors = anew ? now.errors : now.errors - std::min(now.errors, before.errors);
  out.errors = std::min(out.errors, out.requests);
  out.crashes = now.crashes - std::min(now.crashes, before.crashes);
  out.memory_bytes = now.memory_bytes;
  out.latency = since(now.latency, before.latency);
  for (const auto& [rows, counts] : now.compute) {
    const auto it = before.compute.find(rows);
    out.compute[rows] = it == before.compute.end() ? counts : since(counts, it->second);
  }
  return out;
}

void add_to(ArmCounts& into, const ArmCounts& more) {
  into.requests += more.requests;
  into.errors += more.errors;
  into.crashes += more.crashes;
  into.memory_bytes = std::max(into.memory_bytes, more.memory_bytes);
  add_to(into.latency, more.latency);
  for (const auto& [rows, counts] : more.compute) add_to(into.compute[rows], counts);
}

}  // namespace modelmill
