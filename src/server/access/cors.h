#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "wire/http.h"

namespace modelmill {

/// Lets web pages of other origins call, as the Fetch standard has it: answers their preflights and marks replies.
/// Constant; thread-safe.
class Cors {
 public:
  /// Origins as browsers send them; "*" is every one. None: no page may, and nothing is done.
  explicit Cors(std::vector<std::string> origins);

  bool on() const { return any_ || !origins_.empty(); }
  bool allows(std::string_view origin) const;

  /// The reply if the request is a preflight: 204, or 403 for an origin that may not.
  std::optional<wire::HttpReply> preflight(const wire::HttpRequest& request) const;
  /// Puts on every reply to the request what lets the page read it.
  void mark(wire::HttpRequest& request) const;

 private:
  bool any_ = false;
  std::vector<std::string> origins_;
};

}  // namespace modelmill
