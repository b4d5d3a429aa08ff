#include "model/graph/gjson_path.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "model/graph/gjson_parts.h"
#include "model/graph/gjson_search.h"

namespace modelmill {
namespace {

/// Longer ones are no conditions; what is nested in them is followed by recursion.
constexpr size_t kLongest = 1024;

Status refused(std::string_view path, const std::string& why) {
  return invalid_argument("GJSON path '" + std::string(path) + "': " + why);
}

Status check(std::string_view path);

/// What follows a part that ends in '.', in '|', or at the end.
Status check_rest(std::string_view rest, std::string_view path) {
  if (rest.empty()) return ok_status();
  if (rest[0] != '.' && rest[0] != '|') return refused(path, "expected '.' or '|' before '" + std::string(rest) + "'");
  return check(rest.substr(1));
}

Status check_query(std::string_view path) {
  const auto query = gjson::query_text(path);
  if (!query) return refused(path, "the query is not closed; end it with )");
  MM_RETURN_IF_ERROR(check(query->query.path));
  constexpr std::array<std::string_view, 9> kKnown{"", "=", "!=", "<", "<=", ">", ">=", "%", "!%"};
  if (std::find(kKnown.begin(), kKnown.end(), query->query.op) == kKnown.end())
    return refused(path, "'" + std::string(query->query.op) +
                             "' compares in no way that is known; there are ==, !=, <, <=, >, >=, % and !%");
  constexpr std::array<std::string_view, 4> kTilde{"~true", "~false", "~null", "~*"};
  if (query->query.value.starts_with('~') &&
      std::find(kTilde.begin(), kTilde.end(), query->query.value) == kTilde.end())
    return refused(path, "'" + query->query.value + "' is not known; there are ~true, ~false, ~null and ~*");
  return check_rest(path.substr(query->length), path);
}

Status check(std::string_view path) {
  if (path.empty()) return ok_status();
  if (const auto modifier = gjson::modifier_text(path)) {
    const std::string name = "@" + std::string(modifier->name);
    if (modifier->modifier == gjson::Modifier::kUnknown)
      return unimplemented("GJSON path '" + std::string(path) + "': the modifier " + name +
                           " is not known here; there are @this, @valid, @ugly, @pretty and @reverse");
    if (modifier->has_argument)
      return unimplemented("GJSON path '" + std::string(path) + "': arguments of modifiers, as of " + name +
                           ", are not known here; leave it out");
    return check_rest(modifier->rest, path);
  }
  if (path[0] == '!' && path.size() > 1)
    return unimplemented("GJSON path '" + std::string(path) + "': literals (!) are not known here");
  if (path.starts_with(".."))
    return unimplemented("GJSON path '" + std::string(path) + "': JSON lines (..) are not known here");
  if (path[0] == '[' || path[0] == '{') {
    const auto paths = gjson::sub_paths(path);
    if (!paths) return refused(path, "the list of paths is not closed");
    for (const gjson::SubPath& one : paths->paths) MM_RETURN_IF_ERROR(check(one.path));
    return check_rest(paths->rest, path);
  }
  if (path.starts_with("#(") || path.starts_with("#[")) return check_query(path);
  for (size_t i = 0; i < path.size(); ++i) {
    if (path[i] == '\\')
      ++i;
    else if (path[i] == '.' || path[i] == '|')
      return check(path.substr(i + 1));
  }
  return ok_status();
}

}  // namespace

Result<GjsonPath> GjsonPath::parse(std::string text) {
  if (text.size() > kLongest)
    return invalid_argument("a GJSON path of " + std::to_string(text.size()) + " characters; at most " +
                            std::to_string(kLongest) + " are read");
  MM_RETURN_IF_ERROR(check(text));
  return GjsonPath(std::move(text));
}

bool GjsonPath::exists(simdjson::dom::element document) const {
  return gjson::search(gjson::Value(document), text_).exists();
}

std::optional<std::string> GjsonPath::find(simdjson::dom::element document) const {
  const gjson::Value found = gjson::search(gjson::Value(document), text_);
  if (!found.exists()) return std::nullopt;
  std::string out;
  found.write(out);
  return out;
}

}  // namespace modelmill
