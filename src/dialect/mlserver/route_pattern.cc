#include "dialect/mlserver/route_pattern.h"

#include "dialect/http_router.h"

namespace modelmill::mlserver {
namespace {

bool is_parameter(std::string_view part) { return part.starts_with('{') && part.ends_with('}'); }
bool is_rest(std::string_view part) { return is_parameter(part) && part.ends_with(":path}"); }

}  // namespace

RoutePattern::RoutePattern(std::string_view path) {
  if (auto parts = split_path(path); parts.ok()) parts_ = *std::move(parts);
}

bool RoutePattern::matches(const std::vector<std::string>& path) const {
  for (size_t i = 0; i < parts_.size(); ++i) {
    // What follows in the pattern is left to who serves it.
    if (is_rest(parts_[i])) return path.size() >= i;
    if (i == path.size() || (!is_parameter(parts_[i]) && parts_[i] != path[i])) return false;
  }
  return !parts_.empty() && parts_.size() == path.size();
}

}  // namespace modelmill::mlserver
