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
