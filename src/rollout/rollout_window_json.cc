#include "rollout/rollout_window_json.h"

#include <algorithm>
#include <charconv>
#include <string>

#include "state/kept_fields.h"

namespace modelmill {
namespace {

using simdjson::dom::element;

/// Pairs of a bucket and its count, one after the other.
void write_latency(JsonWriter& json, const LatencyCounts& counts) {
  json.begin_array();
  for (size_t bucket = 0; bucket < counts.size(); ++bucket)
    if (counts[bucket] > 0) json.value(static_cast<uint64_t>(bucket)).value(counts[bucket]);
  json.end_array();
}

void write_counts(JsonWriter& json, const ArmCounts& counts) {
  json.begin_object().field("requests", counts.requests).field("errors", counts.errors).key("latency");
  write_latency(json, counts.latency);
  json.key("compute").begin_object();
  for (const auto& [rows, latency] : counts.compute) write_latency(json.key(std::to_string(rows)), latency);
  json.end_object().field("crashes", counts.crashes).field("memory_bytes", counts.memory_bytes).end_object();
}

bool read_latency(const element& value, LatencyCounts& into) {
  simdjson::dom::array pairs;
  if (value.get(pairs) != simdjson::SUCCESS || pairs.size() % 2 != 0) return false;
  for (auto it = pairs.begin(); it != pairs.end(); ++it) {
    uint64_t bucket = 0, count = 0;
    if ((*it).get(bucket) != simdjson::SUCCESS || bucket >= kLatencyHistogramBuckets) return false;
    if ((*++it).get(count) != simdjson::SUCCESS) return false;
    if (into.size() <= bucket) into.resize(bucket + 1);
    into[bucket] = count;
  }
  return true;
}

bool read_counts(const element& value, ArmCounts& into) {
  KeptFields fields(value);
  fields.read("requests", into.requests);
  fields.read("errors", into.errors);
  if (fields.find("crashes")) fields.read("crashes", into.crashes);
  if (fields.find("memory_bytes")) fields.read("memory_bytes", into.memory_bytes);
  simdjson::dom::object compute;
  fields.read("compute", compute);
  const element latency = fields.at("latency");
  if (!fields.ok() || !read_latency(latency, into.latency)) return false;
  return std::all_of(compute.begin(), compute.end(), [&](const simdjson::dom::key_value_pair& item) {
    int64_t rows = 0;
    const char* const end = item.key.data() + item.key.size();
    return std::from_chars(item.key.data(), end, rows).ptr == end && read_latency(item.value, into.compute[rows]);
  });
}

bool read_copies(const element& value, CopyCounts& into) {
  KeptFields fields(value);
  fields.read("compared", into.compared);
  fields.read("disagreed", into.disagreed);
  fields.read("failed", into.failed);
  fields.read("shed", into.shed);
  if (fields.find("not_compared")) fields.read("not_compared", into.not_compared);
  return fields.ok();
}

}  // namespace

void write_window_fields(JsonWriter& json, const RolloutWindow& window) {
  write_counts(json.key("canary"), window.canary);
  write_counts(json.key("baseline"), window.baseline);
  const CopyCounts& copies = window.copies;
  json.key("copies").begin_object().field("compared", copies.compared).field("disagreed", copies.disagreed);
  json.field("failed", copies.failed).field("shed", copies.shed);
  json.field("not_compared", copies.not_compared).end_object();
}

bool read_window_fields(const element& value, RolloutWindow& into) {
  KeptFields fields(value);
  const element canary = fields.at("canary"), baseline = fields.at("baseline");
  if (!fields.ok()) return false;
  const auto copies = fields.find("copies");
  return read_counts(canary, into.canary) && read_counts(baseline, into.baseline) &&
         (!copies || read_copies(*copies, into.copies));
}

}  // namespace modelmill
