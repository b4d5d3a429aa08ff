#include "cli/top/activity.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <functional>
#include <unordered_map>

#include "cli/top/prometheus_text.h"

namespace modelmill {
namespace {

using Version = ServerReading::Version;

/// What is read of each version, by the name of its series.
const std::unordered_map<std::string, std::function<void(Version&, const MetricSample&)>>& version_fields() {
  static const std::unordered_map<std::string, std::function<void(Version&, const MetricSample&)>> fields = {
      {"nv_inference_request_success", [](Version& v, const MetricSample& s) { v.succeeded += s.value; }},
      {"nv_inference_request_failure", [](Version& v, const MetricSample& s) { v.failed += s.value; }},
      {"nv_inference_count", [](Version& v, const MetricSample& s) { v.inferences += s.value; }},
      {"nv_inference_exec_count", [](Version& v, const MetricSample& s) { v.executions += s.value; }},
      {"nv_inference_pending_request_count", [](Version& v, const MetricSample& s) { v.pending += s.value; }},
      {"modelmill_instances", [](Version& v, const MetricSample& s) { v.instances = s.value; }},
      {"nv_cache_num_hits_per_model", [](Version& v, const MetricSample& s) { v.hits = s.value; }},
      {"modelmill_batch_cut_total",
       [](Version& v, const MetricSample& s) { v.cuts[std::string(s.label("reason"))] += s.value; }},
      {"nv_inference_request_duration_histogram_us_bucket",
       [](Version& v, const MetricSample& s) {
         v.latency_buckets[std::strtod(std::string(s.label("le")).c_str(), nullptr)] += s.value;
       }},
  };
  return fields;
}

void read_process(ServerReading& reading, const MetricSample& sample) {
  if (sample.name == "process_start_time_seconds") reading.started = sample.value;
  if (sample.name == "process_cpu_seconds_total") reading.cpu_seconds = sample.value;
  if (sample.name == "process_resident_memory_bytes") reading.memory_bytes = sample.value;
  if (sample.name == "modelmill_wire_connections_open") reading.connections = sample.value;
}

/// A counter that is smaller than before has begun anew.
double growth(double before, double after) { return after >= before ? after - before : after; }

template <typename Key>
std::map<Key, double> growth(const std::map<Key, double>& before, const std::map<Key, double>& after) {
  std::map<Key, double> grown;
  for (const auto& [key, value] : after) {
    const auto old = before.find(key);
    grown[key] = growth(old == before.end() ? 0 : old->second, value);
  }
  return grown;
}

/// The quantile of a cumulative histogram as Prometheus has it: evenly spread within a bucket, and the largest finite
/// bound for all that is above it.
std::optional<double> quantile(const std::map<double, double>& buckets, double share) {
  const double total = buckets.empty() ? 0 : buckets.rbegin()->second;
  if (total <= 0) return std::nullopt;
  const double rank = share * total;
  double lower = 0, below = 0;
  for (const auto& [upper, count] : buckets) {
    if (count >= rank) {
      if (std::isinf(upper)) return lower;
      return count > below ? lower + (upper - lower) * (rank - below) / (count - below) : upper;
    }
    lower = upper;
    below = count;
  }
  return lower;
}

ServerActivity::Version version_between(const VersionName& name, const Version& before, const Version& after,
                                        double seconds) {
  ServerActivity::Version out;
  out.name = name;
  const double failed = growth(before.failed, after.failed);
  out.failures_per_second = failed / seconds;
  out.requests_per_second = (growth(before.succeeded, after.succeeded) + failed) / seconds;
  const std::map<double, double> buckets = growth(before.latency_buckets, after.latency_buckets);
  out.p50_us = quantile(buckets, 0.5);
  out.p99_us = quantile(buckets, 0.99);
  const double executions = growth(before.executions, after.executions);
  if (executions > 0) out.mean_batch = growth(before.inferences, after.inferences) / executions;
  double batches = 0;
  for (const auto& [reason, count] : growth(before.cuts, after.cuts)) {
    if (count > 0) out.cuts[reason] = count;
    batches += count;
  }
  for (auto& [reason, share] : out.cuts) share /= batches;
  out.pending = after.pending;
  out.instances = after.instances;
  if (after.hits) {
    const double answered = growth(before.succeeded, after.succeeded);
    out.cached = answered > 0 ? growth(before.hits.value_or(0), *after.hits) / answered : 0;
  }
  return out;
}

}  // namespace

Result<ServerReading> read_server(std::string_view page, TimePoint at) {
  MM_ASSIGN_OR_RETURN(const std::vector<MetricSample> samples, parse_prometheus_text(page));
  ServerReading reading;
  reading.at = at;
  for (const MetricSample& sample : samples) {
    const auto field = version_fields().find(sample.name);
    if (field == version_fields().end()) {
      read_process(reading, sample);
      continue;
    }
    const VersionName name(sample.label("model"), sample.label("version"));
    field->second(reading.versions[name], sample);
  }
  return reading;
}

ServerActivity activity_between(const ServerReading& before, const ServerReading& after) {
  static const ServerReading kNothing;
  const bool restarted = before.started != after.started;
  const ServerReading& from = restarted ? kNothing : before;
  ServerActivity out;
  out.seconds = std::max(to_seconds(after.at - before.at), 1e-6);
  out.cpu_cores = growth(from.cpu_seconds, after.cpu_seconds) / out.seconds;
  out.memory_bytes = after.memory_bytes;
  out.connections = after.connections;
  for (const auto& [name, version] : after.versions) {
    const auto old = from.versions.find(name);
    out.versions.push_back(
        version_between(name, old == from.versions.end() ? Version() : old->second, version, out.seconds));
    out.requests_per_second += out.versions.back().requests_per_second;
    out.failures_per_second += out.versions.back().failures_per_second;
  }
  return out;
}

}  // namespace modelmill
