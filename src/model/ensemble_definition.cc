#include "model/ensemble_definition.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <utility>

namespace modelmill {
namespace {

constexpr std::array<std::pair<Combiner, std::string_view>, 5> kCombinerNames{{{Combiner::kAverage, "average"},
                                                                               {Combiner::kWeighted, "weighted"},
                                                                               {Combiner::kMax, "max"},
                                                                               {Combiner::kMajority, "majority"},
                                                                               {Combiner::kSoftVote, "soft_vote"}}};

constexpr std::array<std::pair<MemberLoss, std::string_view>, 4> kLosses{{{MemberLoss::kZeroOne, "zero_one"},
                                                                          {MemberLoss::kBrier, "brier"},
                                                                          {MemberLoss::kSquared, "squared"},
                                                                          {MemberLoss::kAbsolute, "absolute"}}};

using Test = StepCondition::Test;
constexpr std::array<std::pair<Test, std::string_view>, 6> kTests{{{Test::kAbove, "above"},
                                                                   {Test::kAtLeast, "at_least"},
                                                                   {Test::kBelow, "below"},
                                                                   {Test::kAtMost, "at_most"},
                                                                   {Test::kEquals, "equals"},
                                                                   {Test::kDiffers, "differs"}}};

template <typename T, size_t N>
std::string_view name_in(const std::array<std::pair<T, std::string_view>, N>& names, T value) {
  for (const auto& [one, name] : names)
    if (one == value) return name;
  return "";
}

template <typename T, size_t N>
std::optional<T> value_in(const std::array<std::pair<T, std::string_view>, N>& names, std::string_view name) {
  for (const auto& [value, known] : names)
    if (known == name) return value;
  return std::nullopt;
}

}  // namespace

std::string_view combiner_name(Combiner combiner) { return name_in(kCombinerNames, combiner); }
std::optional<Combiner> parse_combiner(std::string_view name) { return value_in(kCombinerNames, name); }

std::string_view loss_name(MemberLoss loss) { return name_in(kLosses, loss); }
std::optional<MemberLoss> parse_loss(std::string_view name) { return value_in(kLosses, name); }

std::string_view test_name(StepCondition::Test test) { return name_in(kTests, test); }
std::optional<StepCondition::Test> parse_test(std::string_view name) { return value_in(kTests, name); }

std::string StepCondition::to_string() const {
  char value[32];
  std::snprintf(value, sizeof value, "%.17g", number);
  return (reduction == Reduction::kAny ? "any of " : "") + tensor + ' ' + std::string(test_name(test)) + ' ' +
         (is_text ? "'" + text + "'" : std::string(value));
}

MemberLoss default_loss(Combiner combiner) {
  if (combiner == Combiner::kMajority) return MemberLoss::kZeroOne;
  return combiner == Combiner::kSoftVote ? MemberLoss::kBrier : MemberLoss::kSquared;
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

bool EnsembleDefinition::has_conditions() const {
  return std::any_of(steps.begin(), steps.end(),
                     [](const EnsembleStep& step) { return step.when.has_value() || step.otherwise; });
}

const char* ensemble_field(const EnsembleDefinition& ensemble) {
  if (ensemble.combination) return "combination";
  return ensemble.has_conditions() ? "pipeline" : "ensemble_scheduling";
}

}  // namespace modelmill
