#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace modelmill::mlserver {

/// A path in which "{name}" stands for a segment, and "{name:path}" for any number of them, as FastAPI writes it.
/// Immutable.
class RoutePattern {
 public:
  explicit RoutePattern(std::string_view path);

  /// `path`: its segments, decoded.
  bool matches(const std::vector<std::string>& path) const;

 private:
  std::vector<std::string> parts_;
};

}  // namespace modelmill::mlserver
