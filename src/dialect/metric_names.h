#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace modelmill {

/// The metrics that a scrape names by `name[]` in its query, as Java's client of Prometheus takes them; none: all.
std::vector<std::string> asked_metrics(std::string_view query);

/// Of a page in Prometheus' text format the series of those metrics, with the lines that say what they are. A histogram
/// is named as a whole, or a part of it is (`..._count`). No names: the page.
std::string only_metrics(std::string page, const std::vector<std::string>& names);

}  // namespace modelmill
