#include "cli/top/activity_text.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/json_text.h"
#include "cli/number_text.h"
#include "cli/text_table.h"

namespace modelmill {
namespace {

std::string memory_text(double bytes) {
  return bytes < 1e9 ? number_text("%.0f MB", bytes / 1e6) : number_text("%.1f GB", bytes / 1e9);
}

/// "idle instance 92%, full 8%", the most frequent first.
std::string cuts_text(const std::map<std::string, double>& cuts) {
  std::vector<std::pair<std::string, double>> sorted(cuts.begin(), cuts.end());
  std::stable_sort(sorted.begin(), sorted.end(), [](const auto& a, const auto& b) { return a.second > b.second; });
  std::string out;
  for (const auto& [reason, share] : sorted)
    out += (out.empty() ? "" : ", ") + reason + (share < 0.005 ? " <1%" : number_text(" %.0f%%", 100 * share));
  return out.empty() ? "-" : out;
}

TextRow row_of(const ServerActivity::Version& version) {
  return {version.name.first,
          version.name.second,
          rate_text(version.requests_per_second),
          rate_text(version.failures_per_second),
          time_text(version.p50_us),
          time_text(version.p99_us),
          version.mean_batch ? number_text("%.1f", *version.mean_batch) : "-",
          count_text(version.pending),
          version.instances ? count_text(*version.instances) : "-",
          cuts_text(version.cuts)};
}

/// Adds what the response cache answered, where there is a version that has it.
void add_cached(const std::vector<const ServerActivity::Version*>& versions, std::vector<TextRow>& rows) {
  constexpr std::ptrdiff_t kAfterBatch = 7;
  if (std::none_of(versions.begin(), versions.end(), [](const auto* version) { return version->cached.has_value(); }))
    return;
  rows.front().insert(rows.front().begin() + kAfterBatch, "CACHED");
  for (size_t i = 0; i < versions.size(); ++i) {
    const auto& share = versions[i]->cached;
    rows[i + 1].insert(rows[i + 1].begin() + kAfterBatch, share ? number_text("%.0f%%", 100 * *share) : "-");
  }
}

/// The versions to show, by name: all, or the busiest where only `most` have room.
std::vector<const ServerActivity::Version*> shown(const ServerActivity& activity, size_t most) {
  std::vector<const ServerActivity::Version*> versions;
  for (const auto& version : activity.versions) versions.push_back(&version);
  if (most == 0 || versions.size() <= most) return versions;
  std::stable_sort(versions.begin(), versions.end(),
                   [](const auto* a, const auto* b) { return a->requests_per_second > b->requests_per_second; });
  versions.resize(most);
  std::sort(versions.begin(), versions.end(), [](const auto* a, const auto* b) { return a->name < b->name; });
  return versions;
}

int64_t whole(double value) { return static_cast<int64_t>(std::llround(value)); }

void optional_field(JsonWriter& json, const char* name, const std::optional<double>& value) {
  json.key(name);
  if (value) {
    json.value(*value);
  } else {
    json.null();
  }
}

}  // namespace

std::string activity_text(const ServerActivity& activity, TextRoom room) {
  const std::string server = "requests " + rate_text(activity.requests_per_second) + "/s   failed " +
                             rate_text(activity.failures_per_second) + "/s   connections " +
                             count_text(activity.connections) + "   CPU " + number_text("%.2f", activity.cpu_cores) +
                             " cores   memory " + memory_text(activity.memory_bytes);
  std::string out = clipped(server, room.columns) + "\n\n";
  if (activity.versions.empty()) return out + "the server has no models\n";
  // Beside the rows: the server's line, an empty one, the heading, and the one of those that are not shown.
  constexpr size_t kOtherLines = 4;
  const size_t most = room.lines == 0 ? 0 : std::max<size_t>(room.lines, kOtherLines + 1) - kOtherLines;
  const auto versions = shown(activity, most);
  constexpr size_t kNameColumns = 2;
  std::vector<TextRow> rows = {
      {"MODEL", "VERSION", "REQ/S", "FAIL/S", "P50", "P99", "BATCH", "PENDING", "INSTANCES", "BATCHES CUT BECAUSE"}};
  for (const auto* version : versions) rows.push_back(row_of(*version));
  add_cached(versions, rows);
  out += text_table(rows, kNameColumns, room.columns);
  const size_t hidden = activity.versions.size() - versions.size();
  if (hidden > 0) out += clipped("and " + std::to_string(hidden) + " less busy", room.columns) + "\n";
  return out;
}

std::string activity_json(const ServerActivity& activity) {
  JsonWriter json;
  json.begin_object().field("seconds", activity.seconds).field("requests_per_second", activity.requests_per_second);
  json.field("failures_per_second", activity.failures_per_second).field("connections", whole(activity.connections));
  json.field("cpu_cores", activity.cpu_cores).field("memory_bytes", whole(activity.memory_bytes));
  json.key("models").begin_array();
  for (const auto& version : activity.versions) {
    json.begin_object().field("name", version.name.first).field("version", version.name.second);
    json.field("requests_per_second", version.requests_per_second);
    json.field("failures_per_second", version.failures_per_second);
    optional_field(json, "p50_us", version.p50_us);
    optional_field(json, "p99_us", version.p99_us);
    optional_field(json, "mean_batch", version.mean_batch);
    if (version.cached) json.field("cached", *version.cached);
    json.field("pending", whole(version.pending));
    json.key("instances");
    if (version.instances) {
      json.value(whole(*version.instances));
    } else {
      json.null();
    }
    json.key("cuts").begin_object();
    for (const auto& [reason, share] : version.cuts) json.field(reason, share);
    json.end_object().end_object();
  }
  json.end_array().end_object();
  return json.take() + "\n";
}

}  // namespace modelmill
