#include "learning/weight_keeper.h"

#include <algorithm>
#include <chrono>
#include <unordered_set>
#include <utility>

#include "base/json_text.h"
#include "base/log.h"
#include "learning/hedge.h"
#include "learning/weight_view.h"

namespace modelmill {
namespace {

constexpr Duration kLook = std::chrono::seconds(1);

/// The configuration's weights, as shares.
std::vector<double> configured_shares(const EnsemblePlan& plan) {
  std::vector<double> out = plan.combination.weights;
  double sum = 0;
  for (const double weight : out) sum += weight;
  for (double& weight : out) weight /= sum;
  return out;
}

/// By name as they were learned. Who is new gets its share of the configuration, and the others share the rest as they
/// did before.
std::vector<double> merged_weights(const LearnedCombination& one) {
  std::vector<double> out = configured_shares(*one.plan);
  const auto& learned = one.record.document.weights;
  double fresh = 0, known = 0;
  for (size_t i = 0; i < out.size(); ++i) {
    const auto it = learned.find(one.names[i]);
    (it == learned.end() ? fresh : known) += it == learned.end() ? out[i] : it->second;
  }
  if (known <= 0) return out;
  for (size_t i = 0; i < out.size(); ++i)
    if (const auto it = learned.find(one.names[i]); it != learned.end()) out[i] = (1 - fresh) * it->second / known;
  return out;
}

bool takes_learning(const EnsemblePlan& plan) {
  return plan.combines && takes_weights(plan.combination.combiner) && !plan.combination.outputs.empty();
}

/// Labels that are for the ensemble as it is say nothing of what was combined otherwise, or of another output.
bool is_of(const MemberAnswers& answers, const EnsemblePlan& plan) {
  const EnsemblePlan::Combination& combination = plan.combination;
  return answers.combiner == combination.combiner &&
         answers.output == combination.outputs[combination.learned_output].name;
}

}  // namespace

WeightKeeper::WeightKeeper(MetricRegistry& metrics, Options options)
    : metrics_(metrics), options_(std::move(options)), records_(options_.store) {}

WeightKeeper::~WeightKeeper() { stop(); }

void WeightKeeper::begin_looking() {
  steward_.every(kLook, [this](TimePoint) { look(); });
  steward_.start();
}

void WeightKeeper::stop() {
  steward_.stop();
  look();
}

std::shared_ptr<CombinationWeights> WeightKeeper::attach(const std::shared_ptr<const EnsemblePlan>& plan) {
  if (!takes_learning(*plan)) return nullptr;
  const MutexLock lock(mutex_);
  LearnedCombination& one = combinations_[plan->name];
  if (!one.shared) one.shared = std::make_shared<CombinationWeights>();
  // What is not written yet is known by the names that members had until now.
  for (size_t i = 0; i < one.names.size() && one.is_dirty; ++i)
    one.record.document.weights[one.names[i]] = one.weights[i];
  one.plan = plan;
  name_members(one);
  if (!one.is_dirty) {
    auto record = records_.get(plan->name);
    if (record.ok())
      one.record = *std::move(record);
    else
      Log::error("kept weights can't be read; those of the configuration are in force",
                 {{"model", plan->name}, {"reason", record.status().message()}});
  }
  settle(one);
  one.shared->remember(one.learns());
  if (!one.learns()) one.shared->answers().clear();
  return one.shared;
}

void WeightKeeper::name_members(LearnedCombination& one) {
  std::map<std::string, std::pair<double, uint64_t>> losses;
  for (size_t i = 0; i < one.names.size(); ++i) losses[one.names[i]] = {one.losses[i], one.took_part[i]};
  one.names.clear();
  one.losses.clear();
  one.took_part.clear();
  one.gauges.clear();
  const std::string& model = one.plan->name;
  for (const EnsemblePlan::Step& step : one.plan->steps) {
    const std::string name = step.text();
    one.names.push_back(name);
    one.losses.push_back(losses[name].first);
    one.took_part.push_back(losses[name].second);
    one.gauges.push_back(metrics_.gauge("modelmill_ensemble_weight", "How much a member's answer counts, of 1",
                                        {{"model", model}, {"member", name}}));
  }
  for (size_t i = 0; i < kFeedbackCounts; ++i)
    one.counters[i] =
        metrics_.counter("modelmill_ensemble_feedback_total", "Feedback that came in, by what became of it",
                         {{"model", model}, {"result", feedback_count_name(static_cast<FeedbackCount>(i))}});
}

void WeightKeeper::settle(LearnedCombination& one) {
  one.weights = merged_weights(one);
  // What was learned is at the floor already; what was set need not be.
  if (one.learns()) lift_to_floor(one.weights, std::max(one.plan->combination.learning->floor, kLeastWeight));
  publish(one);
}

void WeightKeeper::publish(LearnedCombination& one) {
  for (size_t i = 0; i < one.gauges.size(); ++i) one.gauges[i]->set(one.weights[i]);
  if (!one.learns() && one.record.document.weights.empty()) return one.shared->publish(nullptr);
  WeightTable table;
  for (size_t i = 0; i < one.names.size(); ++i) table.members.emplace_back(one.names[i], one.weights[i]);
  one.shared->publish(std::make_shared<const WeightTable>(std::move(table)));
}

void WeightKeeper::look() {
  const MutexLock lock(mutex_);
  for (auto it = combinations_.begin(); it != combinations_.end();) {
    const std::string& name = it->first;
    LearnedCombination& one = it->second;
    const Status status = one.is_dirty ? write(name, one) : follow(name, one);
    std::string problem = status.message();
    if (!problem.empty() && one.problem != problem)
      Log::error("the weights of an ensemble can't be kept", {{"model", name}, {"reason", problem}});
    one.problem = std::move(problem);
    // It is not loaded any more; what was learned is written, and comes back with it.
    if (one.shared.use_count() == 1 && !one.is_dirty) {
      records_.release(name);
      it = combinations_.erase(it);
    } else {
      ++it;
    }
  }
}

/// What another process has written, which learns or was told.
Status WeightKeeper::follow(const std::string& name, LearnedCombination& one) {
  MM_ASSIGN_OR_RETURN(const WeightRecords::Record record, records_.get(name));
  if (record.revision == one.record.revision) return ok_status();
  one.record = record;
  settle(one);
  return ok_status();
}

Status WeightKeeper::write(const std::string& name, LearnedCombination& one) {
  WeightRecords::Record record = one.record;
  record.document.weights.clear();
  for (size_t i = 0; i < one.names.size(); ++i) record.document.weights[one.names[i]] = one.weights[i];
  const Status status = records_.put(name, record);
  if (status.ok()) one.record = std::move(record);
  // Another process was faster, so it is the one that learns: what was learned here is nobody's.
  one.is_dirty = !status.ok() && status.code() != Code::kAborted;
  return status.code() == Code::kAborted ? follow(name, one) : status;
}

Result<LearnedCombination*> WeightKeeper::find(const std::string& name) {
  const auto it = combinations_.find(name);
  if (it != combinations_.end()) return &it->second;
  return not_found("no ensemble '" + name +
                   "' is loaded whose members have weights: one with combine weighted, soft_vote or majority");
}

Result<LearnedCombination*> WeightKeeper::find_held(const std::string& name) {
  MM_ASSIGN_OR_RETURN(LearnedCombination* const one, find(name));
  if (!records_.hold(name))
    return failed_precondition("another process that shares the state decides on the weights of ensemble '" + name +
                               "'; ask that one");
  return one;
}

Result<std::string> WeightKeeper::list() {
  const MutexLock lock(mutex_);
  JsonWriter json;
  json.begin_object().key("ensembles").begin_array();
  for (const auto& [name, one] : combinations_) write_combination_weights(json, name, one);
  json.end_array().end_object();
  return json.take();
}

Result<std::string> WeightKeeper::show(const std::string& name) {
  const MutexLock lock(mutex_);
  MM_ASSIGN_OR_RETURN(const LearnedCombination* const one, find(name));
  JsonWriter json;
  write_combination_weights(json, name, *one);
  return json.take();
}

Result<WeightKeeper::Judged> WeightKeeper::judge(const LearnedCombination& one, const std::vector<Feedback>& batch) {
  const LossRule rule = loss_rule_of(one.plan->combination);
  Judged out;
  std::unordered_set<uint64_t> seen;
  for (size_t i = 0; i < batch.size(); ++i) {
    const Feedback& feedback = batch[i];
    AnswerMemory::Found found = one.shared->answers().find(feedback.hash);
    FeedbackCount result = FeedbackCount::kCounted;
    if (found.known == AnswerMemory::Known::kUnknown || (found.answers && !is_of(*found.answers, *one.plan)))
      result = FeedbackCount::kUnknown;
    else if (found.known == AnswerMemory::Known::kCounted || !seen.insert(feedback.hash).second)
      result = FeedbackCount::kDuplicate;
    std::vector<double> losses;
    if (result == FeedbackCount::kCounted) {
      auto judged = member_losses(*found.answers, feedback.label, rule);
      if (!judged.ok())
        return judged.status().with_context("ensemble '" + one.plan->name + "', feedback for request '" + feedback.id +
                                            "'");
      losses = *std::move(judged);
      if (one.record.document.frozen) result = FeedbackCount::kFrozen;
    }
    out.results.push_back(result);
    out.answers.push_back(std::move(found.answers));
    out.losses.push_back(std::move(losses));
  }
  return out;
}

Result<std::string> WeightKeeper::feedback(const std::string& name, std::string_view batch) {
  auto parsed = parse_feedback(batch);
  if (!parsed.ok()) return parsed.status().with_context("ensemble '" + name + "'");
  const MutexLock lock(mutex_);
  MM_ASSIGN_OR_RETURN(LearnedCombination* const one, find(name));
  if (!one->learns())
    return failed_precondition("ensemble '" + name +
                               "' does not learn its weights; add weights: {learn: feedback} to its configuration");
  MM_RETURN_IF_ERROR(find_held(name).status());
  MM_ASSIGN_OR_RETURN(const Judged judged, judge(*one, *parsed));
  for (size_t i = 0; i < parsed->size(); ++i) {
    const auto result = static_cast<size_t>(judged.results[i]);
    ++one->counts[result];
    one->counters[result]->add(1);
    if (judged.results[i] != FeedbackCount::kCounted) continue;
    one->shared->answers().mark_counted((*parsed)[i].hash);
    learn(*one, *judged.answers[i], judged.losses[i]);
  }
  publish(*one);
  return feedback_answer(*parsed, judged.results);
}

/// Members that have gone since, and those that did not take part, sleep.
void WeightKeeper::learn(LearnedCombination& one, const MemberAnswers& answers, const std::vector<double>& losses) {
  std::vector<size_t> awake;
  std::vector<double> charged;
  double sum = 0, own = 0;
  for (size_t i = 0; i < answers.took_part.size(); ++i) {
    const auto at = std::find(one.names.begin(), one.names.end(), (*answers.members)[answers.took_part[i]]);
    if (at == one.names.end()) continue;
    const auto member = static_cast<size_t>(at - one.names.begin());
    awake.push_back(member);
    charged.push_back(losses[i]);
    sum += one.weights[member];
    own += one.weights[member] * losses[i];
    one.losses[member] += losses[i];
    ++one.took_part[member];
  }
  if (awake.empty()) return;
  if (sum > 0) one.own_loss += own / sum;
  ++one.learned;
  const WeightLearning& learning = *one.plan->combination.learning;
  hedge_round(one.weights, awake, charged, {learning.rate, learning.floor});
  ++one.record.document.counted;
  one.is_dirty = true;
}

Result<std::string> WeightKeeper::change(const std::string& name, const std::string& by, const Change& how) {
  const MutexLock lock(mutex_);
  MM_ASSIGN_OR_RETURN(LearnedCombination* const one, find_held(name));
  const Status changed = change_held(name, *one, by, how);
  if (!one->learns()) records_.release(name);
  MM_RETURN_IF_ERROR(changed);
  JsonWriter json;
  write_combination_weights(json, name, *one);
  return json.take();
}

Status WeightKeeper::change_held(const std::string& name, LearnedCombination& one, const std::string& by,
                                 const Change& how) {
  if (one.is_dirty) MM_RETURN_IF_ERROR(write(name, one));
  MM_ASSIGN_OR_RETURN(WeightRecords::Record record, records_.get(name));
  const Status changed = how(one, record.document);
  if (!changed.ok()) return changed.with_context("ensemble '" + name + "'");
  record.document.changed_at = options_.now();
  record.document.changed_by = by;
  MM_RETURN_IF_ERROR(records_.put(name, record));
  one.record = std::move(record);
  settle(one);
  return ok_status();
}

Result<std::string> WeightKeeper::set(const std::string& name, std::string_view request, const std::string& by) {
  return change(name, by, [&](const LearnedCombination& one, WeightDocument& document) -> Status {
    MM_ASSIGN_OR_RETURN(const std::vector<double> weights, parse_weights(request, one.names));
    document.weights.clear();
    for (size_t i = 0; i < weights.size(); ++i) document.weights[one.names[i]] = weights[i];
    return ok_status();
  });
}

Result<std::string> WeightKeeper::freeze(const std::string& name, bool frozen, const std::string& by) {
  return change(name, by, [frozen](const LearnedCombination& one, WeightDocument& document) -> Status {
    if (!one.learns() && frozen)
      return failed_precondition("it does not learn its weights, so there is nothing to freeze");
    document.frozen = frozen;
    // As they are now, whatever the configuration says later.
    for (size_t i = 0; i < one.names.size() && frozen; ++i) document.weights[one.names[i]] = one.weights[i];
    return ok_status();
  });
}

Result<std::string> WeightKeeper::reset(const std::string& name, const std::string& by) {
  return change(name, by, [](const LearnedCombination&, WeightDocument& document) -> Status {
    document.weights.clear();
    return ok_status();
  });
}

}  // namespace modelmill
