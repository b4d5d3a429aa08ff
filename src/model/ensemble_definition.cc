#include "model/ensemble_definition.h"

#include <algorithm>
#include <array>
#include <utility>

namespace modelmill {
namespace {

constexpr std::array<std::pair<Combiner, std::string_view>, 5> kCombinerNames{{{Combiner::kAverage, "average"},
                                                                               {Combiner::kWeighted, "weighted"},
                                                                               {Combiner::kMax, "max"},
                                                                               {Combiner::kMajority, "majority"},
                                                                               {Combiner::kSoftVote, "soft_vote"}}};

}  // namespace

std::string_view combiner_name(Combiner combiner) {
  for (const auto& [one, name] : kCombinerNames)
    if (one == combiner) return name;
  return "";
}

std::optional<Combiner> parse_combiner(std::string_view name) {
  for (const auto& [combiner, known] : kCombinerNames)
    if (known == name) return combiner;
  return std::nullopt;
}

bool takes_weights(Combiner combiner) { return combiner != Combiner::kAverage && combiner != Combiner::kMax; }

std::vector<std::string> EnsembleDefinition::members() const {
  std::vector<std::string> names;
  const auto add = [&names](const std::string& name) {
    if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
  };
  for (const EnsembleStep& step : steps) add(step.model);
  if (combination)
    for (const CombinationDefinition::Member& member : combination->members) add(member.model);
  return names;
}

}  // namespace modelmill
