#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "request/infer_request.h"

namespace modelmill {

/// Which headers of a request its model gets too, as parameters of their names: Triton's header forwarding. Immutable.
class HeaderForwarding {
 public:
  /// A regular expression that a part of a name has to match, whatever the case of its letters, unless "(?-i)" is in
  /// front of it; "(?i)" there is passed over. INVALID_ARGUMENT when it is none.
  static Result<HeaderForwarding> parse(const std::string& pattern);

  /// Gives the request those of `headers` (or of a call's metadata, binary values apart) that match. INVALID_ARGUMENT
  /// for one whose name means something else as a parameter. `sent_names` are theirs as they came; none: as they are.
  Status apply(const std::vector<std::pair<std::string, std::string>>& headers, InferRequest& request,
               const std::vector<std::string>& sent_names = {}) const;

 private:
  struct Pattern;
  explicit HeaderForwarding(std::shared_ptr<const Pattern> pattern) : pattern_(std::move(pattern)) {}
  bool matches(std::string_view name) const;

  std::shared_ptr<const Pattern> pattern_;
};

}  // namespace modelmill
