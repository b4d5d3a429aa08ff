#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/output_comparison.h"

namespace modelmill {

/// A version that a route leads to, written "ocr" (the default version), "ocr@3" or "ocr@canary" (a label).
struct RouteTarget {
  std::string model;
  int64_t version = 0;  // 0: the default one, or what the label stands for
  std::string label;    // empty: none

  std::string text() const;
  /// What stands behind the '@', or nothing.
  std::string version_text() const;
  bool operator==(const RouteTarget&) const = default;
};

/// What of a request a route looks at, written "header:NAME", "cookie:NAME", "parameter:NAME" or "client".
struct RouteKey {
  enum class From { kHeader, kCookie, kParameter, kClient };
  From from = From::kHeader;
  std::string name;  // of headers in lower case; empty for the client, which is its address

  std::string text() const;
  bool operator==(const RouteKey&) const = default;
};

/// A share of the requests that no rule decides.
struct RouteArm {
  RouteTarget to;
  double percent = 0;
  bool operator==(const RouteArm&) const = default;
};

/// Requests in which a key has a value go to a target.
struct RouteRule {
  RouteKey when;
  /// nullopt: any value. Of the client: an address, or a network such as 10.1.0.0/16.
  std::optional<std::string> is;
  RouteTarget to;
  bool operator==(const RouteRule&) const = default;
};

/// Why an arm is left for another.
enum class RouteFailure : uint8_t {
  kError,     // it answered an error that is its own, or can't be asked
  kTimeout,   // it did not answer in time
  kOverload,  // it has too much to do
};
inline constexpr size_t kRouteFailures = 3;
/// "error", "timeout", "overload".
const char* route_failure_name(RouteFailure failure);

/// What is done where an arm fails.
struct RouteFallback {
  std::vector<RouteTarget> to;  // one after the other
  /// After that: outputs as JSON, for parse_route_answer(); empty: the arm's own error.
  std::string answer;
  std::vector<RouteFailure> on{RouteFailure::kError, RouteFailure::kTimeout, RouteFailure::kOverload};
  /// Of each attempt that another can follow; 0: as long as the request itself may take.
  std::chrono::microseconds timeout{0};
  bool operator==(const RouteFallback&) const = default;
};

/// When an arm is not asked any more, and when it is again. With a fallback only.
struct RouteBreaker {
  int64_t failures = 5;                                      // one after the other
  std::chrono::microseconds open = std::chrono::seconds(5);  // then it is probed
  int64_t probes = 2;                                        // good ones, one after the other
  bool operator==(const RouteBreaker&) const = default;
};

/// A version that a share of the requests is copied to once they are answered, and whose answers are compared.
struct RouteShadow {
  static constexpr int64_t kMostExamples = 100;

  RouteTarget to;
  double percent = 100;
  /// Only what this target answers is copied; nullopt: what any does.
  std::optional<RouteTarget> of;
  /// Of each copy, from when it is sent.
  std::chrono::microseconds timeout = std::chrono::seconds(10);
  /// So many of the worst answers are kept.
  int64_t examples = 10;
  /// By output; that of "*" is for those that are not named. default_comparison() for all others.
  std::map<std::string, OutputComparison> compare;
  bool operator==(const RouteShadow&) const = default;
};
/// The JSON form of RouteShadow::compare. INVALID_ARGUMENT says which output and which key of it is wrong.
Result<std::map<std::string, OutputComparison>> parse_comparisons(std::string_view json);
std::string comparisons_json(const std::map<std::string, OutputComparison>& compare);
/// The model whose function compares some of the outputs, as a target is written; empty: none does. There is one at
/// most.
std::string function_of(const std::map<std::string, OutputComparison>& compare);

/// "10%".
std::string share_text(double percent);

/// A public name over versions and models. A value; that of one that parse_route() or check_route() let pass is whole.
struct RouteDefinition {
  std::string name;
  std::vector<RouteArm> split;
  std::vector<RouteRule> rules;  // the first that matches decides
  std::optional<RouteKey> sticky;
  std::string salt;  // of the sticky assignment; empty: the route's name
  std::optional<RouteFallback> fallback;
  RouteBreaker breaker;
  std::vector<RouteShadow> shadows;

  bool operator==(const RouteDefinition&) const = default;
};

/// Every target that may answer for a route, each once: those of the split first. Shadows never do.
std::vector<RouteTarget> targets_of(const RouteDefinition& route);

Result<RouteTarget> parse_route_target(std::string_view text);
Result<RouteKey> parse_route_key(std::string_view text);

/// What is wrong with a route in itself: weights, names, targets that stand twice. INVALID_ARGUMENT.
Status check_route(const RouteDefinition& route);

/// The JSON form: the keys that `routes` of modelmill.yaml has. Reading checks it and says which key is wrong; `name`
/// is the route's where the text need not have it (empty: it must).
Result<RouteDefinition> parse_route(std::string_view json, std::string_view name = {});
std::string route_json(const RouteDefinition& route);

}  // namespace modelmill
