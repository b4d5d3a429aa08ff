#include "dialect/metric_names.h"

#include <algorithm>
#include <unordered_set>
#include <utility>

#include "base/percent_text.h"

namespace modelmill {
namespace {

/// The second word after "# HELP " or "# TYPE "; empty of other lines.
std::string_view told_family(std::string_view line) {
  if (!line.starts_with("# HELP ") && !line.starts_with("# TYPE ")) return {};
  line.remove_prefix(7);
  return line.substr(0, line.find(' '));
}

}  // namespace

std::vector<std::string> asked_metrics(std::string_view query) {
  std::vector<std::string> out;
  const auto values = parse_query(query, query.size());  // a head is bounded, and so are they
  if (!values.ok()) return out;
  for (const auto& [name, value] : *values)
    if (name == "name[]") out.push_back(value);
  return out;
}

std::string only_metrics(std::string page, const std::vector<std::string>& names) {
  if (names.empty()) return page;
  const std::unordered_set<std::string_view> asked(names.begin(), names.end());
  const auto wanted = [&asked](std::string_view name) { return asked.contains(name); };
  std::string out, told;  // told: what the page says of the family whose series come
  std::string_view family;
  bool family_wanted = false;  // asked for once, however many series it has
  for (std::string_view rest = page; !rest.empty();) {
    const size_t end = std::min(rest.find('\n'), rest.size() - 1) + 1;
    const std::string_view line = rest.substr(0, end);
    rest.remove_prefix(end);
    if (const std::string_view name = told_family(line); !name.empty()) {
      if (name != family) {
        told.clear();
        family = name;
        family_wanted = wanted(family);
      }
      told += line;
    } else if (family_wanted || wanted(line.substr(0, line.find_first_of("{ ")))) {
      out.append(std::exchange(told, {})).append(line);
    }
  }
  return out;
}

}  // namespace modelmill
