#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "model/route_definition.h"

namespace modelmill {

/// One change of a route.
struct RouteChange {
  uint64_t number = 0;  // from 1 on, of this route
  std::string at;       // UTC, ISO 8601
  std::string what;     // "set", "delete", "undo" or "declare"
  std::string by;       // who asked for it: a client's address, or a file
  uint64_t before = 0;  // the change that undo leads back to; 0: the route was not there
  /// What has been in force since; nullopt: there is no route.
  std::optional<RouteDefinition> route;

  bool operator==(const RouteChange&) const = default;
};

/// A route and how it came to be, oldest change first; the last one is in force.
struct RouteHistory {
  std::string name;
  std::vector<RouteChange> changes;
  /// What a file said of it last; nullopt: none did.
  std::optional<RouteDefinition> declared = std::nullopt;

  const std::optional<RouteDefinition>& route() const { return changes.back().route; }
};

/// What clients may ask of the routes. Thread-safe. Changes block until they are written, so they are nothing for a
/// loop; they are in force when the call returns. Errors change nothing.
class RouteControl {
 public:
  virtual ~RouteControl() = default;

  /// Those in force, by name.
  virtual std::vector<RouteHistory> list() const = 0;
  /// NOT_FOUND when there has never been a route of that name.
  virtual Result<RouteHistory> history(const std::string& name) const = 0;
  /// Puts a route in force, in the place of the one of its name. INVALID_ARGUMENT for targets that there are not.
  virtual Result<RouteHistory> set(RouteDefinition route, const std::string& by) = 0;
  virtual Result<RouteHistory> remove(const std::string& name, const std::string& by) = 0;
  /// Takes the last change back; again, the one before that. FAILED_PRECONDITION when there is none that is still
  /// known.
  virtual Result<RouteHistory> undo(const std::string& name, const std::string& by) = 0;
};

}  // namespace modelmill
