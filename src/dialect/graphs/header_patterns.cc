#include "dialect/graphs/header_patterns.h"

#include <algorithm>
#include <array>

#include "base/log.h"

namespace modelmill::graphs {
namespace {

/// std::regex recurses over what it looks at.
constexpr size_t kLongestName = 256;

constexpr std::array<std::string_view, 12> kNever{"inference-header-content-length",
                                                  "host",
                                                  "connection",
                                                  "content-length",
                                                  "transfer-encoding",
                                                  "content-encoding",
                                                  "accept-encoding",
                                                  "te",
                                                  "expect",
                                                  "upgrade",
                                                  "keep-alive",
                                                  "trailer"};

std::string as_written(std::string_view name) {
  std::string out(name);
  bool begins = true;
  for (char& c : out) {
    if (begins && c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
    begins = c == '-';
  }
  return out;
}

}  // namespace

HeaderPatterns::HeaderPatterns(std::string_view patterns) {
  while (!patterns.empty()) {
    const size_t comma = std::min(patterns.find(','), patterns.size());
    const std::string pattern(patterns.substr(0, comma));
    patterns.remove_prefix(std::min(comma + 1, patterns.size()));
    if (pattern.empty()) continue;
    try {
      patterns_.emplace_back(pattern);
    } catch (const std::regex_error& e) {
      Log::error("a pattern of PROPAGATE_HEADERS is no regular expression; correct it",
                 {{"pattern", pattern}, {"reason", e.what()}});
    }
  }
}

bool HeaderPatterns::match(std::string_view name) const {
  if (patterns_.empty() || name.size() > kLongestName) return false;
  if (std::find(kNever.begin(), kNever.end(), name) != kNever.end()) return false;
  const std::string written = as_written(name);
  return std::any_of(patterns_.begin(), patterns_.end(), [&written](const std::regex& pattern) {
    try {
      return std::regex_search(written, pattern);
    } catch (const std::regex_error&) {  // too much for it
      return false;
    }
  });
}

}  // namespace modelmill::graphs
