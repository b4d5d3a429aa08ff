#include "server/metrics_config.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

namespace modelmill {
namespace {

Status no_setting(const std::string& text) {
  return invalid_argument("'" + text + "' is no setting of metrics; they are counter_latencies, histogram_latencies " +
                          "and summary_latencies, each =true or =false, and summary_quantiles=QUANTILE:ERROR,...");
}

/// A whole text that is a number.
std::optional<double> number_of(std::string_view text) {
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

Status read_quantiles(const std::string& text, std::string_view pairs, SeriesSettings& series) {
  std::vector<double> quantiles;
  while (!pairs.empty()) {
    const std::string_view pair = pairs.substr(0, pairs.find(','));
    pairs.remove_prefix(std::min(pairs.size(), pair.size() + 1));
    const size_t colon = pair.find(':');
    const auto quantile = number_of(pair.substr(0, colon));
    if (colon == std::string_view::npos || colon + 1 == pair.size() || !quantile || !(*quantile >= 0 && *quantile <= 1))
      return invalid_argument("'" + text + "': '" + std::string(pair) +
                              "' is no QUANTILE:ERROR with a quantile from 0 to 1, such as 0.99:0.001");
    if (std::find(quantiles.begin(), quantiles.end(), *quantile) != quantiles.end())
      return invalid_argument("'" + text + "': '" + std::string(pair) +
                              "' has a quantile that is there already; each may be there once");
    quantiles.push_back(*quantile);
  }
  if (quantiles.empty()) return no_setting(text);
  series.quantiles = std::move(quantiles);
  return ok_status();
}

}  // namespace

Status add_metrics_setting(const std::string& text, SeriesSettings& series) {
  const size_t equals = text.find('=');
  if (equals == std::string::npos) return no_setting(text);
  const std::string_view name = std::string_view(text).substr(0, equals);
  const std::string_view value = std::string_view(text).substr(equals + 1);
  if (name == "summary_quantiles") return read_quantiles(text, value, series);
  if (value != "true" && value != "false") return no_setting(text);
  const bool on = value == "true";
  if (name == "counter_latencies") {
    series.counters = on;
  } else if (name == "summary_latencies") {
    series.summaries = on;
  } else if (name == "histogram_latencies") {
    series.histograms = series.all_first_responses = on;
  } else {
    return no_setting(text);
  }
  return ok_status();
}

}  // namespace modelmill
