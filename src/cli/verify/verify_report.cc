#include "cli/verify/verify_report.h"

#include <algorithm>
#include <cstdio>

#include "base/json_text.h"
#include "cli/text_table.h"

namespace modelmill {
namespace {

double milliseconds(std::chrono::nanoseconds time) { return std::chrono::duration<double, std::milli>(time).count(); }

std::string fixed(double number, int digits) {
  char text[40];
  std::snprintf(text, sizeof text, "%.*f", digits, number);
  return text;
}

TextRow speed_row(const std::string& url, const RequestSpeed& speed) {
  return {url, fixed(milliseconds(speed.quantile(0.5)), 3), fixed(milliseconds(speed.quantile(0.99)), 3),
          fixed(speed.per_second(), 1), std::to_string(speed.failed)};
}

void write_speed(JsonWriter& json, const char* name, const std::string& url, const RequestSpeed& speed) {
  json.key(name).begin_object().field("url", url).field("requests", uint64_t{speed.times.size()});
  json.field("failed", uint64_t{speed.failed}).field("p50_ms", milliseconds(speed.quantile(0.5)));
  json.field("p99_ms", milliseconds(speed.quantile(0.99))).field("requests_per_second", speed.per_second());
  json.end_object();
}

}  // namespace

size_t VerifyReport::failed() const {
  return static_cast<size_t>(std::count_if(requests.begin(), requests.end(),
                                           [](const VerifiedRequest& request) { return !request.failure.empty(); }));
}

size_t VerifyReport::different() const {
  return static_cast<size_t>(std::count_if(
      requests.begin(), requests.end(), [](const VerifiedRequest& request) { return request.differences.count > 0; }));
}

std::string verify_text(const VerifyReport& report) {
  std::string out;
  for (const VerifiedRequest& request : report.requests) {
    const AnswerDifferences& differences = request.differences;
    if (request.failure.empty() && differences.count == 0) continue;
    out += request.place + ": " + request.call + ": ";
    if (!request.failure.empty()) {
      out += request.failure + "\n";
      continue;
    }
    out += std::to_string(differences.count) + (differences.count == 1 ? " difference\n" : " differences\n");
    for (const AnswerDifference& one : differences.first)
      out += "    " + one.place + ": expected " + one.expected + ", got " + one.got + "\n";
    if (differences.count > differences.first.size())
      out += "    and " + std::to_string(differences.count - differences.first.size()) + " more\n";
  }
  const size_t failed = report.failed(), different = report.different();
  out += std::to_string(report.requests.size()) + (report.requests.size() == 1 ? " request: " : " requests: ") +
         std::to_string(report.requests.size() - failed - different) + " same, " + std::to_string(different) +
         " different, " + std::to_string(failed) + " failed\n";
  if (report.against_speed.times.empty() && report.with_speed.times.empty()) return out;
  return out + text_table({{"", "p50 ms", "p99 ms", "requests/s", "failed"},
                           speed_row(report.against, report.against_speed),
                           speed_row(report.with, report.with_speed)},
                          1, 0);
}

std::string verify_json(const VerifyReport& report) {
  JsonWriter json;
  const size_t failed = report.failed(), different = report.different();
  json.begin_object().field("same", uint64_t{report.requests.size() - failed - different});
  json.field("different", uint64_t{different}).field("failed", uint64_t{failed}).key("requests").begin_array();
  for (const VerifiedRequest& request : report.requests) {
    json.begin_object().field("place", request.place).field("call", request.call).field("failure", request.failure);
    json.field("differences", uint64_t{request.differences.count}).key("first").begin_array();
    for (const AnswerDifference& one : request.differences.first)
      json.begin_object().field("place", one.place).field("expected", one.expected).field("got", one.got).end_object();
    json.end_array().end_object();
  }
  json.end_array();
  write_speed(json, "against", report.against, report.against_speed);
  write_speed(json, "with", report.with, report.with_speed);
  json.end_object();
  return json.take() + "\n";
}

}  // namespace modelmill
