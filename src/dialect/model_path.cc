#include "dialect/model_path.h"

#include <charconv>
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
  const std::string& text = segments[3];
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), named.version);
  if (segments[2] != "versions" || error != std::errc() || end != text.data() + text.size() || named.version < 1)
    return unknown();
  return named;
}

}  // namespace modelmill
