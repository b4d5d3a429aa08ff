#include "route/route.h"

#include <algorithm>
#include <utility>

#include "base/stable_hash.h"
#include "model/route_answer.h"
#include "model/route_assignment.h"

namespace modelmill {

Route::Route(RouteDefinition definition, ArmStatsTable& arm_stats, ShadowStatsTable& shadow_stats,
             std::shared_ptr<Exposures> exposures)
    : definition_(std::move(definition)), exposures_(std::move(exposures)) {
  assignment_hash_ = assignment_hash(definition_);
  salt_ = stable_hash(definition_.salt.empty() ? definition_.name : definition_.salt);
  for (RouteTarget& target : targets_of(definition_)) {
    const std::string name = target.text();
    arms_.push_back({std::move(target), name, arm_stats.of(definition_.name, name)});
  }
  for (const RouteShadow& shadow : definition_.shadows) {
    const std::string name = shadow.to.text();
    shadows_.push_back({shadow, name, shadow_stats.of(definition_.name, name)});
    shadows_.back().stats->compare_by(shadow.compare);
    if (const std::string model = function_of(shadow.compare); !model.empty())
      shadows_.back().function = parse_route_target(model).value();
  }
  for (const RouteArm& arm : definition_.split) split_.push_back({stable_hash(arm.to.text()), arm.percent});
  const auto notice = [this](const RouteKey& key) {
    reads_parameters_ = reads_parameters_ || key.from == RouteKey::From::kParameter;
  };
  if (definition_.sticky) notice(*definition_.sticky);
  for (const RouteRule& rule : definition_.rules) {
    notice(rule.when);
    Rule& made = rules_.emplace_back(Rule{rule.when, rule.is, std::nullopt, arm_of(rule.to)});
    if (rule.when.from == RouteKey::From::kClient) made.network = ClientNetwork::parse(*rule.is).value();
  }
  breaker_ = {static_cast<int>(definition_.breaker.failures), definition_.breaker.open,
              static_cast<int>(definition_.breaker.probes)};
  if (!definition_.fallback) return;
  Fallback made;
  for (const RouteTarget& target : definition_.fallback->to) made.arms.push_back(arm_of(target));
  for (const RouteFailure failure : definition_.fallback->on) made.on[static_cast<size_t>(failure)] = true;
  made.timeout = definition_.fallback->timeout;
  if (!definition_.fallback->answer.empty()) made.answer = parse_route_answer(definition_.fallback->answer).value();
  fallback_ = std::move(made);
}

size_t Route::arm_of(const RouteTarget& target) const {
  const auto it = std::find_if(arms_.begin(), arms_.end(), [&](const Arm& arm) { return arm.to == target; });
  return static_cast<size_t>(it - arms_.begin());
}

const Route::Arm& Route::main_arm() const {
  const auto largest =
      std::max_element(split_.begin(), split_.end(), [](const auto& a, const auto& b) { return a.weight < b.weight; });
  return arms_[static_cast<size_t>(largest - split_.begin())];
}

bool Route::matches(const Rule& rule, const RequestFacts& facts, std::string& scratch) const {
  if (rule.network) return rule.network->contains(facts.peer);
  const auto value = value_of(rule.when, facts, scratch);
  return value && (!rule.is || *value == *rule.is);
}

bool Route::is_copied(const Shadow& shadow, size_t arm, double chance) const {
  if (shadow.definition.of && arms_[arm].to != *shadow.definition.of) return false;
  if (arms_.size() > 1 && arms_[arm].to == shadow.definition.to) return false;
  return chance * 100 < shadow.definition.percent;
}

size_t Route::choose(const RequestFacts& facts, double chance, RouteAssignment* assignment) const {
  std::string scratch;
  for (const Rule& rule : rules_)
    if (matches(rule, facts, scratch)) return rule.arm;
  if (split_.size() == 1) return 0;
  if (assignment != nullptr) assignment->is_by_split = true;
  if (definition_.sticky)
    if (const auto key = value_of(*definition_.sticky, facts, scratch); key && !key->empty()) {
      if (assignment != nullptr) assignment->user = stable_hash(*key);
      return choose_by_key(stable_hash(salt_, *key), split_);
    }
  return choose_by_chance(chance, split_);
}

Exposure Route::exposure(size_t arm, const RouteAssignment& assignment, std::string_view request_id) const {
  return {assignment.user, request_id.empty() ? 0 : stable_hash(request_id), split_[arm].seed, assignment_hash_};
}

}  // namespace modelmill
