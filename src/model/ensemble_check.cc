#include "model/ensemble_check.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <utility>

#include "model/triton_config.h"

namespace modelmill {
namespace {

using inference::ModelConfig;

std::string step_field(int i) { return "ensemble_scheduling.step[" + std::to_string(i) + "]"; }

/// Holds the steps of one configuration against each other.
class GraphCheck {
 public:
  explicit GraphCheck(const ModelConfig& config) : config_(config), steps_(config.ensemble_scheduling().step()) {}

  std::vector<ConfigIssue> run() {
    check_fields();
    if (!issues_.empty()) return std::move(issues_);
    for (int i = 0; i < steps_.size(); ++i) check_step(i);
    if (!issues_.empty()) return std::move(issues_);
    check_inputs();
    if (issues_.empty()) check_flow();
    if (issues_.empty()) check_outputs();
    return std::move(issues_);
  }

 private:
  void add(std::string field, std::string message, Code code = Code::kInvalidArgument) {
    issues_.push_back({code, std::move(field), std::move(message)});
  }
  std::string ensemble() const { return "ensemble '" + config_.name() + "'"; }

  void check_fields() {
    if (config_.platform() != kEnsemblePlatform)
      return add("ensemble_scheduling",
                 "ensemble scheduling cannot be set for model '" + config_.name() +
                     "' whose platform is not ensemble; remove it, or set platform: \"ensemble\"");
    if (!config_.backend().empty())
      add("backend", "'backend' should not be specified for " + ensemble() + ", which has none; remove it");
    if (config_.instance_group_size() != 0)
      add("instance_group", "instance group should not be specified for " + ensemble() + "; set it for its members");
    if (config_.has_optimization())
      add("optimization", "optimization should not be specified for " + ensemble() + "; set it for its members");
    if (config_.model_warmup_size() != 0)
      add("model_warmup", "model_warmup can not be specified for " + ensemble() + "; set it for its members");
    if (config_.has_dynamic_batching())
      add("dynamic_batching", "batches are made by the members of " + ensemble() + "; configure them there");
    if (steps_.empty())
      add(config_.has_ensemble_scheduling() ? "ensemble_scheduling" : "platform",
          "must specify 'step' for " + ensemble());
    const auto check_reshape = [this](const auto& list, const char* field) {
      for (int i = 0; i < list.size(); ++i)
        if (list[i].has_reshape())
          add(std::string(field) + '[' + std::to_string(i) + "].reshape",
              "a reshape of a tensor of " + ensemble() + " is not supported; give the member that reshape",
              Code::kUnimplemented);
    };
    check_reshape(config_.input(), "input");
    check_reshape(config_.output(), "output");
  }

  void check_step(int i) {
    const auto& step = steps_[i];
    const std::string field = step_field(i);
    const std::string where = " in step " + std::to_string(i) + " of " + ensemble();
    if (step.model_name().empty()) return add(field, "must specify 'model_name'" + where);
    if (step.input_map().empty()) return add(field, "must specify 'input_map'" + where);
    if (step.output_map().empty()) return add(field, "must specify 'output_map'" + where);
    if (step.model_name() == config_.name())
      return add(field + ".model_name", ensemble() + " can't be a member of itself");
    if (!step.model_namespace().empty())
      return add(field + ".model_namespace",
                 "a namespace of models is not supported; models have one name each" + where, Code::kUnimplemented);
    if (step.model_version() < -1)
      return add(field + ".model_version",
                 "version " + std::to_string(step.model_version()) + where + " can't exist; -1 is the latest");
    for (const auto& [output, tensor] : step.output_map()) {
      if (writers_.emplace(tensor, i).second) continue;
      return add(field + ".output_map", "ensemble tensor '" + tensor + "' can appear in an output map only once for " +
                                            ensemble() + " step " + std::to_string(i));
    }
    for (const auto& [input, tensor] : step.input_map()) read_.insert(tensor);
  }

  /// What there is without any step.
  void check_inputs() {
    if (config_.input_size() == 0) {
      for (const std::string& tensor : read_)
        if (!writers_.contains(tensor)) there_.insert(tensor);
      return;
    }
    for (int i = 0; i < config_.input_size(); ++i) {
      const std::string& name = config_.input(i).name();
      const std::string field = "input[" + std::to_string(i) + "]";
      if (!read_.contains(name))
        add(field, "ensemble input '" + name + "' for " + ensemble() +
                       " is not used; map it in a step's input_map, or remove it");
      else if (const auto writer = writers_.find(name); writer != writers_.end())
        add(step_field(writer->second),
            "ensemble tensor '" + name + "' is an input of " + ensemble() + " and can't be written by a step");
      there_.insert(name);
    }
  }

  bool is_ready(int i) const {
    const auto& inputs = steps_[i].input_map();
    return std::all_of(inputs.begin(), inputs.end(), [this](const auto& map) { return there_.contains(map.second); });
  }

  /// Every step can run at last.
  void check_flow() {
    std::set<int> waiting;
    for (int i = 0; i < steps_.size(); ++i) waiting.insert(i);
    bool moved = true;
    while (moved) {
      moved = false;
      for (auto it = waiting.begin(); it != waiting.end();) {
        if (!is_ready(*it)) {
          ++it;
          continue;
        }
        for (const auto& [output, tensor] : steps_[*it].output_map()) there_.insert(tensor);
        it = waiting.erase(it);
        moved = true;
      }
    }
    if (waiting.empty()) return;
    for (const int i : waiting)
      for (const auto& [input, tensor] : steps_[i].input_map())
        if (!there_.contains(tensor) && !writers_.contains(tensor))
          add(step_field(i) + ".input_map", "ensemble tensor '" + tensor + "' for " + ensemble() +
                                                " is not written: it is no input of the ensemble, and no step has it "
                                                "in its output_map; correct its name");
    if (!issues_.empty()) return;
    std::string names;
    for (const int i : waiting)
      for (const auto& [output, tensor] : steps_[i].output_map()) names += (names.empty() ? "'" : ", '") + tensor + "'";
    add(step_field(*waiting.begin()),
        "the steps of " + ensemble() +
            " wait for each other in a circle, which must be broken; it has the ensemble tensors " + names);
  }

  void check_outputs() {
    if (config_.output_size() == 0) return;
    std::set<std::string> outputs;
    for (int i = 0; i < config_.output_size(); ++i) {
      const std::string& name = config_.output(i).name();
      if (!there_.contains(name))
        add("output[" + std::to_string(i) + "]", "ensemble output '" + name + "' for " + ensemble() +
                                                     " is not used; map it in a step's output_map, or remove it");
      outputs.insert(name);
    }
    for (const auto& [tensor, step] : writers_)
      if (!read_.contains(tensor) && !outputs.contains(tensor))
        add(step_field(step) + ".output_map",
            "ensemble tensor '" + tensor + "' is unused in " + ensemble() + "; remove it from the map");
  }

  const ModelConfig& config_;
  const google::protobuf::RepeatedPtrField<inference::ModelEnsembling_Step>& steps_;
  std::vector<ConfigIssue> issues_;
  std::map<std::string, int> writers_;  // steps, by the tensors that they write
  std::set<std::string> read_;
  std::set<std::string> there_;
};

}  // namespace

EnsembleGraph graph_of(const std::vector<EnsembleStep>& steps) {
  std::set<std::string> read, written;
  for (const EnsembleStep& step : steps) {
    for (const auto& [input, tensor] : step.inputs) read.insert(tensor);
    for (const auto& [output, tensor] : step.outputs) written.insert(tensor);
    if (step.when) read.insert(step.when->tensor);
  }
  EnsembleGraph out;
  std::set_difference(read.begin(), read.end(), written.begin(), written.end(), std::back_inserter(out.unwritten));
  std::set_difference(written.begin(), written.end(), read.begin(), read.end(), std::back_inserter(out.unread));
  return out;
}

std::vector<ConfigIssue> check_ensemble(const ModelConfig& config) {
  if (config.platform() != kEnsemblePlatform && !config.has_ensemble_scheduling()) return {};
  return GraphCheck(config).run();
}

namespace {

/// What is wrong with how weights are to be learned; empty: nothing.
std::string learning_problem(const CombinationDefinition& combination) {
  const WeightLearning& learning = *combination.learning;
  const std::string combiner(combiner_name(combination.combiner));
  if (!takes_weights(combination.combiner))
    return "'" + combiner + "' takes no weights, so none can be learned; remove weights, or choose weighted";
  if (!(learning.rate > 0 && learning.rate <= 10)) return "the rate of its weights must be above 0 and at most 10";
  const auto count = static_cast<double>(combination.members.size());
  if (!(learning.floor >= 0 && learning.floor * count < 1))
    return "the floor of its weights must be from 0 to below 1 / " + std::to_string(combination.members.size()) +
           ", the share of each of its members";
  if (!std::isfinite(learning.range) || learning.range <= 0) return "the range of its losses must be a number above 0";
  const MemberLoss loss = learning.loss.value_or(default_loss(combination.combiner));
  const bool by_distance = loss == MemberLoss::kSquared || loss == MemberLoss::kAbsolute;
  if (learning.range != 1 && !by_distance)
    return "a range is of the losses squared and absolute, not of " + std::string(loss_name(loss)) + "; remove it";
  const bool fits = combination.combiner == Combiner::kWeighted ? by_distance
                    : combination.combiner == Combiner::kMajority
                        ? loss == MemberLoss::kZeroOne
                        : loss == MemberLoss::kZeroOne || loss == MemberLoss::kBrier;
  if (!fits)
    return "the loss " + std::string(loss_name(loss)) + " is not for " + combiner + "; leave it out, for " +
           std::string(loss_name(default_loss(combination.combiner)));
  const auto& outputs = combination.outputs;
  if (!learning.output.empty() && !outputs.empty() &&
      std::find(outputs.begin(), outputs.end(), learning.output) == outputs.end())
    return "output '" + learning.output + "', which its weights are learned of, is not among its outputs";
  return "";
}

}  // namespace

std::vector<ConfigIssue> check_combination(const std::string& model, const CombinationDefinition& combination) {
  std::vector<ConfigIssue> issues;
  const auto add = [&](const std::string& message) {
    issues.push_back({Code::kInvalidArgument, "combination", "ensemble '" + model + "': " + message});
  };
  const std::string combiner(combiner_name(combination.combiner));
  if (combination.members.size() < 2) add("a combination must have two members or more");
  std::set<std::string> names;
  for (const CombinationDefinition::Member& member : combination.members) {
    const std::string text = EnsembleStep{member.model, member.version, member.label, {}, {}}.text();
    if (const Status status = check_model_name(member.model); !status.ok()) add(status.message());
    if (member.model == model) add("it can't be a member of itself");
    if (!names.insert(text).second) add("'" + text + "' is a member twice; give it a weight of 2 instead");
    if (!std::isfinite(member.weight) || member.weight <= 0)
      add("the weight of '" + text + "' must be a number above 0; leave out what is not to count");
    if (member.weight != 1 && !takes_weights(combination.combiner))
      add("'" + combiner + "' takes no weights; remove the weight of '" + text + "', or choose weighted");
  }
  const auto count = static_cast<int64_t>(combination.members.size());
  if (combination.quorum < 0 || combination.quorum > count)
    add("its quorum of " + std::to_string(combination.quorum) + " is more than its members, " + std::to_string(count));
  if (combination.learning)
    if (const std::string problem = learning_problem(combination); !problem.empty()) add(problem);
  return issues;
}

}  // namespace modelmill
