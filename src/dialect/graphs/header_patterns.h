#pragma once

#include <regex>
#include <string>
#include <string_view>
#include <vector>

namespace modelmill::graphs {

/// Which of a request's headers its steps get too, as KServe's router is told by PROPAGATE_HEADERS. Immutable.
class HeaderPatterns {
 public:
  HeaderPatterns() = default;
  /// Regular expressions between commas; those that are none are logged and left out.
  explicit HeaderPatterns(std::string_view patterns);

  /// `name`: in lower case. The patterns see it as HTTP/1.1 writes it, "X-Request-Id", and may match a part of it.
  /// False for what belongs to the connection or to the body as it was sent.
  bool match(std::string_view name) const;

 private:
  std::vector<std::regex> patterns_;
};

}  // namespace modelmill::graphs
