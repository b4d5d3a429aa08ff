#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace modelmill {

/// One line of Prometheus' text format.
struct MetricSample {
  std::string name;
  std::vector<std::pair<std::string, std::string>> labels;
  double value = 0;

  /// Empty where there is no such label.
  std::string_view label(std::string_view label_name) const;
};

/// The samples of a page in their order; comments are left out. The error names the first line that is none.
Result<std::vector<MetricSample>> parse_prometheus_text(std::string_view page);

}  // namespace modelmill
