#include "model/pipeline_check.h"

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <utility>

#include "model/triton_config.h"

namespace modelmill {
namespace {

std::set<std::string> written_by(const EnsembleStep& step) {
  std::set<std::string> out;
  for (const auto& [output, tensor] : step.outputs) out.insert(tensor);
  return out;
}

class Check {
 public:
  explicit Check(const ModelDefinition& definition)
      : definition_(definition), steps_(definition.ensemble->steps), alternatives_(alternatives_of(steps_)) {}

  std::vector<ConfigIssue> run() {
    for (size_t i = 0; i < steps_.size(); ++i) check_step(i);
    if (issues_.empty()) check_alternatives();
    if (issues_.empty()) check_inputs();
    if (issues_.empty()) check_flow();
    if (issues_.empty()) check_outputs();
    return std::move(issues_);
  }

 private:
  void add(const std::string& message) {
    issues_.push_back({Code::kInvalidArgument, "pipeline", "ensemble '" + definition_.name + "': " + message});
  }
  std::string step(size_t i) const { return "step " + std::to_string(i + 1) + " ('" + steps_[i].text() + "')"; }

  void check_step(size_t i) {
    const EnsembleStep& one = steps_[i];
    if (const Status status = check_model_name(one.model); !status.ok()) add(status.message());
    if (one.model == definition_.name) add("it can't be a member of itself");
    if (one.inputs.empty()) add(step(i) + " must have inputs");
    if (one.outputs.empty()) add(step(i) + " must have outputs");
    if (written_by(one).size() != one.outputs.size()) add(step(i) + " writes a tensor twice");
    for (const auto& [input, tensor] : one.inputs) read_.insert(tensor);
    for (const std::string& tensor : written_by(one)) written_.insert(tensor);
  }

  /// Whether the step may be left out: by its condition, or because what it reads may be missing.
  bool may_be_left_out(size_t i) const {
    std::set<size_t> seen;
    return may_be_left_out(i, seen);
  }
  bool may_be_left_out(size_t i, std::set<size_t>& seen) const {
    if (!seen.insert(i).second) return false;
    if (steps_[i].when || steps_[i].otherwise) return true;
    for (size_t writer = 0; writer < steps_.size(); ++writer)
      for (const auto& [input, tensor] : steps_[i].inputs)
        if (written_by(steps_[writer]).contains(tensor) && may_be_left_out(writer, seen)) return true;
    return false;
  }

  void check_alternatives() {
    for (size_t i = 0; i < steps_.size(); ++i) {
      const std::vector<size_t>& group = alternatives_[i];
      if (steps_[i].otherwise && group.front() == i)
        add(step(i) + " has when: otherwise, but no step before it writes the same tensors");
      if (group.back() == i) continue;
      const size_t next = *std::next(std::find(group.begin(), group.end(), i));
      if (written_by(steps_[i]) != written_by(steps_[next]))
        add(step(i) + " and " + step(next) +
            " write a tensor that is the same, so at most one of them runs, and they must write the same tensors");
      else if (steps_[i].otherwise || !may_be_left_out(i))
        add(step(next) + " never runs: " + step(i) + " writes the same tensors, is looked at first and always runs; " +
            "give it a condition, or put it last");
    }
  }

  void check_inputs() {
    for (const ConfiguredTensor& input : definition_.inputs) {
      if (written_.contains(input.name)) add("tensor '" + input.name + "' is an input and can't be written by a step");
      there_.insert(input.name);
    }
    if (definition_.inputs.empty())
      for (const std::string& tensor : read_)
        if (!written_.contains(tensor)) there_.insert(tensor);
    for (size_t i = 0; i < steps_.size(); ++i) {
      for (const auto& [input, tensor] : steps_[i].inputs)
        if (!there_.contains(tensor) && !written_.contains(tensor))
          add("tensor '" + tensor + "', which " + step(i) + " reads, is not written: it is no input of the ensemble, " +
              "and no step has it in its outputs; correct its name");
      if (!steps_[i].when) continue;
      const std::string& tensor = steps_[i].when->tensor;
      if (!there_.contains(tensor) && !written_.contains(tensor))
        add("tensor '" + tensor + "', which the condition of " + step(i) +
            " looks at, is none of the ensemble's; correct its name, or name it in inputs");
      looked_at_.insert(tensor);
    }
    for (const ConfiguredTensor& input : definition_.inputs)
      if (!read_.contains(input.name) && !looked_at_.contains(input.name))
        add("input '" + input.name + "' is not used; give it to a step, or remove it");
  }

  bool is_ready(size_t i, const std::set<size_t>& waiting) const {
    const auto known = [this](const std::string& tensor) { return there_.contains(tensor); };
    for (const size_t other : alternatives_[i])
      if (other < i && waiting.contains(other)) return false;
    const auto& inputs = steps_[i].inputs;
    return (!steps_[i].when || known(steps_[i].when->tensor)) &&
           std::all_of(inputs.begin(), inputs.end(), [&](const auto& map) { return known(map.second); });
  }

  /// Every step can be decided on at last.
  void check_flow() {
    std::set<size_t> waiting;
    for (size_t i = 0; i < steps_.size(); ++i) waiting.insert(i);
    for (bool moved = true; moved;) {
      moved = false;
      for (auto it = waiting.begin(); it != waiting.end();) {
        if (!is_ready(*it, waiting)) {
          ++it;
          continue;
        }
        // Known once all who may write it have been decided on.
        const size_t i = *it;
        it = waiting.erase(it);
        moved = true;
        if (alternatives_[i].back() == i) there_.merge(written_by(steps_[i]));
      }
    }
    if (waiting.empty()) return;
    std::string names;
    for (const size_t i : waiting) names += (names.empty() ? "" : ", ") + step(i);
    add("its steps wait for each other in a circle, which must be broken: " + names);
  }

  void check_outputs() {
    std::set<std::string> outputs;
    for (const ConfiguredTensor& output : definition_.outputs) {
      if (!there_.contains(output.name)) add("output '" + output.name + "' is written by no step; correct its name");
      outputs.insert(output.name);
    }
    if (outputs.empty()) return;
    for (const std::string& tensor : written_)
      if (!read_.contains(tensor) && !looked_at_.contains(tensor) && !outputs.contains(tensor))
        add("tensor '" + tensor + "' is not used; name it in outputs, or remove it from its step");
  }

  const ModelDefinition& definition_;
  const std::vector<EnsembleStep>& steps_;
  const std::vector<std::vector<size_t>> alternatives_;
  std::vector<ConfigIssue> issues_;
  std::set<std::string> read_, written_, looked_at_, there_;
};

}  // namespace

std::vector<std::vector<size_t>> alternatives_of(const std::vector<EnsembleStep>& steps) {
  std::map<std::string, std::vector<size_t>> writers;
  for (size_t i = 0; i < steps.size(); ++i)
    for (const std::string& tensor : written_by(steps[i])) writers[tensor].push_back(i);
  std::vector<std::vector<size_t>> out(steps.size());
  for (size_t i = 0; i < steps.size(); ++i) {
    std::set<size_t> group{i};
    for (const std::string& tensor : written_by(steps[i])) group.insert(writers[tensor].begin(), writers[tensor].end());
    out[i].assign(group.begin(), group.end());
  }
  return out;
}

std::vector<ConfigIssue> check_pipeline(const ModelDefinition& definition) { return Check(definition).run(); }

}  // namespace modelmill
