#include "dialect/server_timing.h"

#include <array>
#include <charconv>
#include <string_view>

namespace modelmill {
namespace {

void append(std::string& out, std::string_view name, TimePoint from, TimePoint to) {
  if (from == TimePoint{} || to < from) return;
  std::array<char, 32> text;
  const double milliseconds = static_cast<double>(to_ns(to - from)) / 1e6;
  const auto end = std::to_chars(text.data(), text.data() + text.size(), milliseconds, std::chars_format::fixed, 3).ptr;
  if (!out.empty()) out += ", ";
  out += name;
  out += ";dur=";
  out.append(text.data(), end);
}

}  // namespace

bool asks_timing(const wire::HttpRequest& request) { return request.header("x-server-timing") == "1"; }

std::string server_timing(const RequestTimes& times, TimePoint now) {
  std::string out;
  append(out, "queue", times.queued, times.compute_start == TimePoint{} ? now : times.compute_start);
  append(out, "compute", times.compute_start, times.compute_end == TimePoint{} ? now : times.compute_end);
  if (times.batch.rows > 0) {
    out += ";desc=\"";
    out += cut_reason_name(times.batch.reason);
    out += ", rows ";
    out += std::to_string(times.batch.rows);
    out += '"';
  }
  append(out, "total", times.received, now);
  return out;
}

}  // namespace modelmill
