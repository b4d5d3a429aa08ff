#include "learning/weight_view.h"

#include <array>

namespace modelmill {
namespace {

constexpr size_t kMostTold = 100;

}  // namespace

const char* feedback_count_name(FeedbackCount which) {
  switch (which) {
    case FeedbackCount::kCounted: return "counted";
    case FeedbackCount::kDuplicate: return "duplicate";
    case FeedbackCount::kUnknown: return "unknown";
    case FeedbackCount::kFrozen: return "frozen";
  }
  return "";
}

LossRule loss_rule_of(const EnsemblePlan::Combination& combination) {
  LossRule rule{combination.combiner, default_loss(combination.combiner), 1};
  if (!combination.learning) return rule;
  rule.loss = combination.learning->loss.value_or(rule.loss);
  rule.range = combination.learning->range;
  return rule;
}

void write_combination_weights(JsonWriter& json, const std::string& name, const LearnedCombination& one) {
  const EnsemblePlan::Combination& combination = one.plan->combination;
  const LossRule rule = loss_rule_of(combination);
  const WeightDocument& document = one.record.document;
  json.begin_object().field("name", name).field("combine", combiner_name(combination.combiner));
  json.field("output", combination.outputs[combination.learned_output].name);
  json.field("learns", one.learns()).field("frozen", document.frozen);
  json.field("loss", loss_name(rule.loss)).field("range", rule.range);
  if (combination.learning) json.field("rate", combination.learning->rate).field("floor", combination.learning->floor);
  json.key("members").begin_array();
  double configured = 0;
  for (const double weight : combination.weights) configured += weight;
  for (size_t i = 0; i < one.names.size(); ++i) {
    json.begin_object().field("member", one.names[i]).field("weight", one.weights[i]);
    json.field("configured", combination.weights[i] / configured).key("mean_loss");
    if (one.took_part[i] > 0)
      json.value(one.losses[i] / static_cast<double>(one.took_part[i]));
    else
      json.null();
    json.end_object();
  }
  json.end_array().key("mean_loss");
  if (one.learned > 0)
    json.value(one.own_loss / static_cast<double>(one.learned));
  else
    json.null();
  json.key("feedback").begin_object();
  for (size_t i = 0; i < kFeedbackCounts; ++i)
    json.field(feedback_count_name(static_cast<FeedbackCount>(i)), one.counts[i]);
  json.end_object().field("counted_ever", document.counted);
  json.field("remembered", uint64_t{one.shared->answers().size()});
  json.field("changed_at", document.changed_at).field("changed_by", document.changed_by).end_object();
}

std::string feedback_answer(const std::vector<Feedback>& batch, const std::vector<FeedbackCount>& results) {
  std::array<uint64_t, kFeedbackCounts> counts{};
  for (const FeedbackCount result : results) ++counts[static_cast<size_t>(result)];
  JsonWriter json;
  json.begin_object();
  for (size_t i = 0; i < kFeedbackCounts; ++i)
    json.field(feedback_count_name(static_cast<FeedbackCount>(i)), counts[i]);
  json.key("unknown_ids").begin_array();
  size_t told = 0;
  for (size_t i = 0; i < results.size() && told < kMostTold; ++i) {
    if (results[i] != FeedbackCount::kUnknown) continue;
    json.value(batch[i].id);
    ++told;
  }
  json.end_array().end_object();
  return json.take();
}

}  // namespace modelmill
