#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "catalog/route_control.h"

namespace modelmill {

/// What is kept of a route: its changes, of which the oldest are forgotten, and what a file declared last.
struct RouteDocument {
  /// So many changes are kept.
  static constexpr size_t kMostChanges = 100;

  std::vector<RouteChange> changes;
  /// So that a file that has not changed does not undo what clients did since; nullopt: none declared it.
  std::optional<RouteDefinition> declared;

  const RouteDefinition* route() const {
    return changes.empty() || !changes.back().route ? nullptr : &*changes.back().route;
  }
  /// Adds a change after which `route` is in force.
  void change(std::string what, std::string by, std::string at, std::optional<RouteDefinition> route);
  /// Adds the change that takes back the last one that has not been taken back. FAILED_PRECONDITION when there is none,
  /// or what was before is forgotten.
  Status undo(std::string by, std::string at);

  bool operator==(const RouteDocument&) const = default;

 private:
  void add(RouteChange change);
};

/// The JSON document that is kept, with "format": 1, and its reading. FAILED_PRECONDITION for another format, or what
/// this release does not know and would lose by writing.
std::string route_document_text(const RouteDocument& document);
Result<RouteDocument> parse_route_document(const std::string& text);

}  // namespace modelmill
