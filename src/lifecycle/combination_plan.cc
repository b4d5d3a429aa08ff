// Combinations: members that all get the request, and whose answers become one.

#include <algorithm>
#include <limits>
#include <map>
#include <utility>

#include "lifecycle/ensemble_plan.h"

namespace modelmill {
namespace {

constexpr const char* kLabelOutput = "label";

bool is_real(DataType dtype) { return dtype == DataType::kFp32 || dtype == DataType::kFp64; }

bool is_label(DataType dtype) {
  switch (dtype) {
    case DataType::kBool:
    case DataType::kUint8:
    case DataType::kUint16:
    case DataType::kUint32:
    case DataType::kUint64:
    case DataType::kInt8:
    case DataType::kInt16:
    case DataType::kInt32:
    case DataType::kInt64:
    case DataType::kBytes: return true;
    default: return false;
  }
}

class CombinationPlanning {
 public:
  CombinationPlanning(ModelDefinition& definition, const FindMember& find)
      : definition_(definition), combination_(*definition.ensemble->combination), find_(find) {}

  Result<PlannedEnsemble> run() {
    plan_->name = definition_.name;
    MM_RETURN_IF_ERROR(find_members());
    settle_batching();
    for (size_t i = 0; i < members_.size(); ++i) MM_RETURN_IF_ERROR(add_inputs(i));
    for (const TensorSpec& spec : signature_.inputs) plan_->inputs.push_back({spec.name, plan_->inputs.size()});
    MM_RETURN_IF_ERROR(choose_outputs());
    for (const std::string& output : outputs_) MM_RETURN_IF_ERROR(add_output(output));
    if (combination_.combiner == Combiner::kSoftVote) MM_RETURN_IF_ERROR(add_label());
    EnsemblePlan::Combination& to = plan_->combination;
    to.combiner = combination_.combiner;
    to.quorum = combination_.quorum == 0 ? members_.size() : static_cast<size_t>(combination_.quorum);
    to.deadline = combination_.deadline;
    plan_->combines = true;
    plan_->batched = definition_.max_batch_size.value_or(0) > 0;
    return PlannedEnsemble{plan_, std::move(signature_)};
  }

 private:
  std::string what() const { return "ensemble '" + definition_.name + "': "; }
  bool takes(DataType dtype) const {
    return combination_.combiner == Combiner::kMajority ? is_label(dtype) : is_real(dtype);
  }

  Status find_members() {
    for (const CombinationDefinition::Member& member : combination_.members) {
      EnsembleStep asked{member.model, member.version, member.label, {}, {}};
      MM_ASSIGN_OR_RETURN(EnsembleMember found, find_(asked));
      if (found.definition.decoupled)
        return unimplemented(what() + "member '" + asked.text() +
                             "' gives any number of answers to a request, which can't be combined");
      plan_->steps.push_back({member.model,
                              member.version,
                              member.label,
                              found.definition.max_batch_size.value_or(0) > 0,
                              {},
                              {},
                              found.signature});
      plan_->combination.weights.push_back(member.weight);
      members_.push_back(std::move(found));
    }
    return ok_status();
  }

  /// It has a batch dimension when all its members have; their sizes of batches are no bound for clients.
  void settle_batching() {
    int64_t least = std::numeric_limits<int64_t>::max();
    for (const EnsembleMember& member : members_) least = std::min(least, member.definition.max_batch_size.value_or(0));
    definition_.max_batch_size = least;
    definition_.batching.mode = BatchingDefinition::Mode::kAuto;
  }

  size_t add_tensor(const std::string& name, size_t writer) {
    plan_->tensors.push_back(name);
    plan_->readers.emplace_back();
    plan_->writers.push_back(writer);
    return plan_->tensors.size() - 1;
  }

  Status disagree(const char* kind, const TensorSpec& one, const std::string& of, const TensorSpec& other, size_t i) {
    return invalid_argument(what() + kind + " '" + one.name + "' is " + std::string(dtype_name(one.dtype)) + ' ' +
                            shape_text(dims(one.shape)) + " of member '" + of + "', but " +
                            std::string(dtype_name(other.dtype)) + ' ' + shape_text(dims(other.shape)) +
                            " of member '" + plan_->steps[i].text() + "'; members must agree in it");
  }

  static bool agree(const TensorSpec& a, const TensorSpec& b) {
    return a.dtype == b.dtype && may_be_equal(a.shape, b.shape);
  }
  static void narrow(TensorSpec& spec, const TensorSpec& by) {
    for (size_t d = 0; d < spec.shape.size(); ++d)
      if (spec.shape[d] == -1) spec.shape[d] = by.shape[d];
  }

  /// What any member takes is an input of the ensemble; it is optional where all that take it can do without.
  Status add_inputs(size_t i) {
    for (const TensorSpec& spec : members_[i].signature.inputs) {
      auto at = std::find_if(signature_.inputs.begin(), signature_.inputs.end(),
                             [&](const TensorSpec& known) { return known.name == spec.name; });
      if (at == signature_.inputs.end()) {
        signature_.inputs.push_back(spec);
        signature_.inputs.back().symbols.clear();
        first_[spec.name] = plan_->steps[i].text();
        at = std::prev(signature_.inputs.end());
        (void)add_tensor(spec.name, plan_->steps.size());
      } else {
        if (!agree(*at, spec)) return disagree("input", *at, first_[spec.name], spec, i);
        narrow(*at, spec);
        at->optional = at->optional && spec.optional;
      }
      const auto tensor = static_cast<size_t>(at - signature_.inputs.begin());
      plan_->steps[i].inputs.push_back({{spec.name, tensor}, spec.optional, false, {}});
      plan_->readers[tensor].push_back(i);
    }
    return ok_status();
  }

  std::string kinds() const {
    return combination_.combiner == Combiner::kMajority ? "labels: whole numbers, BOOL or BYTES" : "FP32 or FP64";
  }

  Status choose_outputs() {
    outputs_ = combination_.outputs;
    if (outputs_.empty())
      for (const TensorSpec& spec : members_.front().signature.outputs)
        if (takes(spec.dtype)) outputs_.push_back(spec.name);
    const std::string combiner(combiner_name(combination_.combiner));
    if (outputs_.empty())
      return invalid_argument(what() + "member '" + plan_->steps.front().text() + "' has no output that '" + combiner +
                              "' can combine; it takes " + kinds());
    if (combination_.combiner == Combiner::kSoftVote && outputs_.size() != 1)
      return invalid_argument(what() + "soft_vote needs one output, the probabilities of the classes, and there are " +
                              std::to_string(outputs_.size()) + "; name it in ensemble.outputs");
    return ok_status();
  }

  Status add_output(const std::string& name) {
    TensorSpec spec;
    std::vector<size_t> tensors;
    for (size_t i = 0; i < members_.size(); ++i) {
      const TensorSpec* here = members_[i].signature.output(name);
      EnsemblePlan::Step& step = plan_->steps[i];
      if (here == nullptr)
        return invalid_argument(what() + "member '" + step.text() + "' has no output '" + name + "'");
      if (!takes(here->dtype))
        return invalid_argument(what() + "output '" + name + "' of member '" + step.text() + "' is " +
                                std::string(dtype_name(here->dtype)) + ", but '" +
                                std::string(combiner_name(combination_.combiner)) + "' takes " + kinds());
      if (i == 0) spec = *here;
      if (!agree(spec, *here)) return disagree("output", spec, plan_->steps.front().text(), *here, i);
      narrow(spec, *here);
      tensors.push_back(add_tensor(step.text() + '.' + name, i));
      step.outputs.push_back({name, tensors.back()});
    }
    spec.symbols.clear();
    plan_->combination.outputs.push_back({name, spec.dtype, std::move(tensors)});
    signature_.outputs.push_back(std::move(spec));
    return ok_status();
  }

  /// The class, in a dimension less than its probabilities.
  Status add_label() {
    const TensorSpec& probabilities = signature_.outputs.front();
    if (probabilities.name == kLabelOutput)
      return invalid_argument(what() + "soft_vote adds an output '" + std::string(kLabelOutput) +
                              "', which is the name of the members' probabilities; rename that output");
    const size_t least = definition_.max_batch_size.value_or(0) > 0 ? 2 : 1;
    if (probabilities.shape.size() < least)
      return invalid_argument(what() + "output '" + probabilities.name + "' has shape " +
                              shape_text(dims(probabilities.shape)) + "; soft_vote needs a last dimension of classes");
    TensorSpec label{kLabelOutput, DataType::kInt64, probabilities.shape, {}, false};
    label.shape.pop_back();
    plan_->combination.label_output = kLabelOutput;
    signature_.outputs.push_back(std::move(label));
    return ok_status();
  }

  ModelDefinition& definition_;
  const CombinationDefinition& combination_;
  const FindMember& find_;
  const std::shared_ptr<EnsemblePlan> plan_ = std::make_shared<EnsemblePlan>();
  std::vector<EnsembleMember> members_;  // by step
  std::vector<std::string> outputs_;
  std::map<std::string, std::string> first_;  // the member that an input is known from
  Signature signature_;
};

}  // namespace

Result<PlannedEnsemble> plan_combination(ModelDefinition& definition, const FindMember& find) {
  return CombinationPlanning(definition, find).run();
}

}  // namespace modelmill
