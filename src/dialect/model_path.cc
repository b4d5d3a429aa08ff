#include "dialect/model_path.h"

#include <vector>

#include "dialect/http_router.h"

namespace modelmill {

Result<ModelPath> parse_model_path(std::string_view path) {
  MM_ASSIGN_OR_RETURN(const std::vector<std::string> segments, split_path(path));
  const auto unknown = [&] {
    const std::string first = "/" + (segments.empty() ? "" : segments[0]);
    return not_found("no such path: '" + std::string(path) + "'; it is " + first + "/MODEL or " + first +
                     "/MODEL/versions/V");
  };
  if (segments.size() != 2 && segments.size() != 4) return unknown();
  ModelPath named{segments[1]};
  if (segments.size() == 2) return named;
  if (segments[2] != "versions" || segments[3].empty()) return unknown();
  named.version = segments[3];
  return named;
}

}  // namespace modelmill
