#include "cli/route_shadow_text.h"

#include <optional>
#include <vector>

#include "cli/json_fields.h"
#include "cli/number_text.h"
#include "cli/text_table.h"

namespace modelmill {
namespace {

using simdjson::dom::element;

/// Of a tensor so many elements are shown.
constexpr size_t kElements = 8;

std::string count_of(const element& object, const char* name) { return count_text(number_of<double>(object, name)); }

/// A number, or one of those that JSON has only as texts.
std::string measure_of(const element& object, const char* name) {
  const std::string text = text_of(object, name);
  return text.empty() ? number_text("%.4g", number_of<double>(object, name)) : text;
}

std::string counts_text(const element& shadow) {
  const auto compared = number_of<double>(shadow, "compared"), disagreed = number_of<double>(shadow, "disagreed");
  return count_text(compared) + " compared, " + count_text(disagreed) + " disagree" +
         (compared > 0 ? " (" + number_text("%.3g", disagreed / compared * 100) + "%)" : std::string()) + ", " +
         count_of(shadow, "shed") + " shed, " + count_of(shadow, "failed") + " failed" +
         (number_of<double>(shadow, "not_compared") > 0 ? ", " + count_of(shadow, "not_compared") + " not compared"
                                                        : std::string());
}

std::string latency_text(const element& shadow, const char* of) {
  element all, times;
  if (shadow["latency_us"].get(all) || all[of].get(times)) return "-";
  const auto time = [&](const char* quantile) {
    const auto us = number_of<double>(times, quantile);
    return time_text(us > 0 ? std::optional(us) : std::nullopt);
  };
  return "p50 " + time("p50") + ", p99 " + time("p99");
}

std::string tensor_text(const element& tensor) {
  std::string out = text_of(tensor, "name") + " " + text_of(tensor, "datatype") + " [";
  std::string separator;
  for (const element& size : list_of(tensor, "shape")) {
    out += separator + simdjson::to_string(size);
    separator = ",";
  }
  out += "]";
  separator = " ";
  size_t shown = 0;
  for (const element& value : list_of(tensor, "data")) {
    out += separator + (shown++ == kElements ? "..." : simdjson::to_string(value));
    if (shown > kElements) break;
    separator = ", ";
  }
  return out;
}

void append_tensors(std::string& out, const char* what, const element& example, const char* name) {
  const auto tensors = list_of(example, name);
  if (tensors.empty()) out += "        " + std::string(what) + "too large to be kept\n";
  for (const element& tensor : tensors) out += "        " + std::string(what) + clipped(tensor_text(tensor), 0) + "\n";
}

std::string example_text(const element& example) {
  const std::string output = text_of(example, "output");
  std::string out = "      " + text_of(example, "at") + " " + text_of(example, "kind") +
                    (output.empty() ? "" : " of '" + clipped(output, 0) + "'") + ": " +
                    measure_of(example, "distance") + ", allowed " + measure_of(example, "limit");
  if (const std::string problem = text_of(example, "problem"); !problem.empty())
    out += " (" + clipped(problem, 0) + ")";
  out += "; " + text_of(example, "arm") + " version " + std::to_string(number_of<int64_t>(example, "version")) +
         " against version " + std::to_string(number_of<int64_t>(example, "shadow_version"));
  if (const std::string id = text_of(example, "id"); !id.empty()) out += ", id " + clipped(id, 0);
  out += "\n";
  append_tensors(out, "in       ", example, "inputs");
  append_tensors(out, "answer   ", example, "answer");
  append_tensors(out, "shadow   ", example, "shadow_answer");
  return out;
}

/// What it gets copies of.
std::string shadow_text(const element& shadow) {
  const std::string of = text_of(shadow, "of");
  return text_of(shadow, "target") + " " + text_of(shadow, "share") + (of.empty() ? "" : " of what " + of + " answers");
}

std::string one_text(const element& shadow) {
  std::string out = "    shadow     " + shadow_text(shadow) + "\n";
  out += "    answers    " + counts_text(shadow) + "\n";
  if (const std::string failure = text_of(shadow, "last_failure"); !failure.empty())
    out += "    failure    " + clipped(failure, 0) + "\n";
  if (const std::string failure = text_of(shadow, "last_comparison_failure"); !failure.empty())
    out += "    comparison " + clipped(failure, 0) + "\n";
  out += "    worst      " + measure_of(shadow, "worst_distance") + " of what is allowed\n";
  out +=
      "    execution  " + latency_text(shadow, "shadow") + "; of the primary " + latency_text(shadow, "primary") + "\n";
  const auto examples = list_of(shadow, "examples");
  if (!examples.empty()) out += "    the worst answers\n";
  for (const element& example : examples) out += example_text(example);
  return out;
}

}  // namespace

Result<std::string> route_shadow_text(std::string_view json) {
  simdjson::dom::parser parser;
  element document;
  simdjson::dom::array unused;
  if (parser.parse(json.data(), json.size()).get(document) != simdjson::SUCCESS ||
      document["shadow"].get(unused) != simdjson::SUCCESS)
    return internal("the server's answer is not understood; use the release of the server");
  std::string out = "route " + text_of(document, "name") + "\n";
  const auto shadows = list_of(document, "shadow");
  if (shadows.empty()) return out + "    it has no shadow\n";
  for (const element& shadow : shadows) out += one_text(shadow);
  return out;
}

std::string shadow_lines(const element& document) {
  std::string out;
  for (const element& shadow : list_of(document, "shadow"))
    out += "    shadow     " + shadow_text(shadow) + ": " + counts_text(shadow) + "\n";
  return out;
}

}  // namespace modelmill
