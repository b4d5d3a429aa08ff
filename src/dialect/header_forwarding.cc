#include "dialect/header_forwarding.h"

#include <algorithm>
#include <array>
#include <regex>

namespace modelmill {
namespace {

/// std::regex recurses over what it looks at.
constexpr size_t kLongestForwarded = 256;

/// What a request's parameters of these names mean already.
constexpr std::array<std::string_view, 8> kTaken{"sequence_id",        "sequence_start", "sequence_end",
                                                 "priority",           "timeout",        "headers",
                                                 "binary_data_output", "signature_name"};

bool is_taken(std::string_view name) {
  return name.starts_with("triton_") || std::find(kTaken.begin(), kTaken.end(), name) != kTaken.end();
}

}  // namespace

struct HeaderForwarding::Pattern {
  std::regex text;
};

Result<HeaderForwarding> HeaderForwarding::parse(const std::string& pattern) {
  constexpr std::string_view kAnyCase = "(?i)", kSameCase = "(?-i)";
  const bool same_case = pattern.starts_with(kSameCase);
  const size_t begin = same_case ? kSameCase.size() : pattern.starts_with(kAnyCase) ? kAnyCase.size() : 0;
  const std::string text = pattern.substr(begin);
  try {
    auto flags = std::regex::ECMAScript | std::regex::optimize;
    if (!same_case) flags |= std::regex::icase;
    return HeaderForwarding(std::make_shared<const Pattern>(Pattern{std::regex(text, flags)}));
  } catch (const std::regex_error& e) {
    return invalid_argument("'" + pattern + "' is no regular expression of headers' names, such as x-.*: " + e.what());
  }
}

bool HeaderForwarding::matches(std::string_view name) const {
  if (name.size() > kLongestForwarded) return false;
  try {
    return std::regex_search(name.begin(), name.end(), pattern_->text);
  } catch (const std::regex_error&) {  // too much for it
    return false;
  }
}

Status HeaderForwarding::apply(const std::vector<std::pair<std::string, std::string>>& headers, InferRequest& request,
                               const std::vector<std::string>& sent_names) const {
  const bool sent = sent_names.size() == headers.size();
  for (size_t i = 0; i < headers.size(); ++i) {
    const std::string& name = sent ? sent_names[i] : headers[i].first;
    const std::string& value = headers[i].second;
    if (name.ends_with("-bin") || !matches(name)) continue;
    if (is_taken(name))
      return invalid_argument("Header '" + name +
                              "' is reserved for Triton usage and cannot be forwarded; send it by another name, or as "
                              "a parameter of the request");
    if (name.starts_with("modelmill_"))
      return invalid_argument("Header '" + name +
                              "' is reserved for what the server itself tells models and cannot be forwarded; send it "
                              "by another name");
    request.parameters.set(name, value);
  }
  return ok_status();
}

}  // namespace modelmill
