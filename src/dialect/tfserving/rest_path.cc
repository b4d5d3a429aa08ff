#include "dialect/tfserving/rest_path.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <vector>

#include "dialect/http_router.h"

namespace modelmill::tfserving {
namespace {

bool same_word(std::string_view a, std::string_view b) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
  return a.size() == b.size() &&
         std::equal(a.begin(), a.end(), b.begin(), [&](char x, char y) { return lower(x) == lower(y); });
}

std::optional<Ask> verb(std::string_view text) {
  if (same_word(text, "predict")) return Ask::kPredict;
  if (same_word(text, "classify")) return Ask::kClassify;
  if (same_word(text, "regress")) return Ask::kRegress;
  if (same_word(text, "explain")) return Ask::kExplain;
  return std::nullopt;
}

/// Takes ":VERB" off the end of a path.
std::string_view take_verb(std::string_view& path) {
  const size_t colon = path.rfind(':');
  if (colon == std::string_view::npos || path.find('/', colon) != std::string_view::npos) return {};
  const std::string_view text = path.substr(colon + 1);
  path = path.substr(0, colon);
  return text;
}

/// Reads ["versions", N] or ["labels", L].
Status read_version(const std::string& kind, const std::string& value, bool& known, ModelTarget& target) {
  known = true;
  if (same_word(kind, "labels")) {
    target.label = value;
  } else if (same_word(kind, "versions") &&
             std::all_of(value.begin(), value.end(), [](char c) { return c >= '0' && c <= '9'; })) {
    int64_t number = 0;
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
    if (error != std::errc()) return invalid_argument("Failed to convert version: " + value + " to numeric.");
    target.version = number;
  } else {
    known = false;
  }
  return ok_status();
}

}  // namespace

Result<RestPath> parse_rest_path(std::string_view method, std::string_view path) {
  const auto malformed = [method, whole = path] {
    return invalid_argument("Malformed request: " + std::string(method) + " " + std::string(whole));
  };
  RestPath out;
  std::optional<Ask> action;
  if (method == "POST") {
    action = verb(take_verb(path));
    if (!action) return malformed();
  } else if (method != "GET") {
    return malformed();
  }
  MM_ASSIGN_OR_RETURN(std::vector<std::string> segments, split_path(path));
  size_t at = 0;
  const auto is = [&](size_t i, std::string_view word) { return i < segments.size() && same_word(segments[i], word); };
  if (is(0, "tfserving")) out.dialects = Dialects::kTfServing;
  if (is(0, "kserve")) out.dialects = Dialects::kKserveV1;
  if (out.dialects != Dialects::kBoth) at = 1;
  if (action == Ask::kExplain && out.dialects == Dialects::kTfServing) return malformed();
  if (!is(at, "v1") || !is(at + 1, "models")) return malformed();
  at += 2;
  if (!action && at < segments.size() && is(segments.size() - 1, "metadata")) {
    action = Ask::kMetadata;
    segments.pop_back();
  }
  if (at < segments.size()) out.target.model = std::move(segments[at++]);
  if (at + 2 == segments.size()) {
    bool known = false;
    MM_RETURN_IF_ERROR(read_version(segments[at], segments[at + 1], known, out.target));
    if (known) at += 2;
  }
  if (at != segments.size()) return malformed();
  out.ask = action.value_or(out.target.model.empty() ? Ask::kList : Ask::kStatus);
  if (out.target.model.empty() && method == "POST") return malformed();
  return out;
}

}  // namespace modelmill::tfserving
