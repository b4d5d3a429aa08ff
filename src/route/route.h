#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/client_network.h"
#include "catalog/exposures.h"
#include "model/route_definition.h"
#include "route/arm_stats.h"
#include "route/circuit_breaker.h"
#include "route/request_facts.h"
#include "route/shadow_stats.h"
#include "route/sticky_choice.h"
#include "tensor/tensor.h"

namespace modelmill {

/// Who the split gave an arm, for whoever wants to know.
struct RouteAssignment {
  bool is_by_split = false;  // a rule or a single arm leaves nothing to assign
  uint64_t user = 0;         // the stable_hash() of the sticky key's value; 0: there is none
};

/// A route made ready to choose with. Immutable, so thread-safe; what its arms count is shared with the routes of the
/// same name that were before and will be after it, so that a change of weights begins nothing anew.
class Route {
 public:
  struct Arm {
    RouteTarget to;
    std::string name;  // to.text()
    std::shared_ptr<ArmStats> stats;
  };

  /// What is done where an arm fails.
  struct Fallback {
    std::vector<size_t> arms;  // one after the other
    std::array<bool, kRouteFailures> on{};
    Duration timeout{};          // of an attempt; 0: none
    std::vector<Tensor> answer;  // empty: there is none
  };

  /// What gets copies of a share of its requests.
  struct Shadow {
    RouteShadow definition;
    std::string name;  // definition.to.text()
    std::shared_ptr<ShadowStats> stats;
    /// The model whose function compares some of the outputs.
    std::optional<RouteTarget> function = std::nullopt;
  };

  /// `definition` has passed check_route(). `exposures`: see there; null: nobody ever wants them.
  Route(RouteDefinition definition, ArmStatsTable& arm_stats, ShadowStatsTable& shadow_stats,
        std::shared_ptr<Exposures> exposures = nullptr);

  const std::string& name() const { return definition_.name; }
  const RouteDefinition& definition() const { return definition_; }
  /// Everything that it may lead to; those of the split first, in its order.
  const std::vector<Arm>& arms() const { return arms_; }

  /// The one with the largest share: what stands for the route where there is no request to choose for.
  const Arm& main_arm() const;
  /// The arm for a request. `chance` in [0, 1) decides where nothing else does. Pure. `assignment`: null, or filled.
  size_t choose(const RequestFacts& facts, double chance, RouteAssignment* assignment = nullptr) const;

  /// Null while nobody wants to know who gets which arm.
  Exposures* wanted_exposures() const { return exposures_ && exposures_->are_wanted() ? exposures_.get() : nullptr; }
  const std::shared_ptr<Exposures>& exposures() const { return exposures_; }
  /// Of the request with this id, which choose() gave an arm of the split.
  Exposure exposure(size_t arm, const RouteAssignment& assignment, std::string_view request_id) const;

  /// Null: an arm's error is the answer, and breakers are not used.
  const Fallback* fallback() const { return fallback_ ? &*fallback_ : nullptr; }
  const BreakerSettings& breaker() const { return breaker_; }
  const std::vector<Shadow>& shadows() const { return shadows_; }
  /// Whether a request that an arm answers is copied to a shadow; `chance` in [0, 1) decides. Those of other arms than
  /// the shadow's `of` are not, nor, where other arms may answer, those that the shadow's own target answered. Pure.
  bool is_copied(const Shadow& shadow, size_t arm, double chance) const;

  /// Its choice may be another once the request's own parameters are known.
  bool reads_parameters() const { return reads_parameters_; }

 private:
  struct Rule {
    RouteKey when;
    std::optional<std::string> is;
    std::optional<ClientNetwork> network;  // instead of `is`
    size_t arm = 0;
  };
  bool matches(const Rule& rule, const RequestFacts& facts, std::string& scratch) const;
  size_t arm_of(const RouteTarget& target) const;

  RouteDefinition definition_;
  uint64_t salt_ = 0;
  std::vector<Arm> arms_;
  std::vector<WeightedChoice> split_;  // of the first arms
  std::vector<Rule> rules_;
  std::vector<Shadow> shadows_;
  std::optional<Fallback> fallback_;
  BreakerSettings breaker_;
  const std::shared_ptr<Exposures> exposures_;
  uint64_t assignment_hash_ = 0;
  bool reads_parameters_ = false;
};

}  // namespace modelmill
