#include "lifecycle/ensemble_plan.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "catalog/ensemble_levels.h"
#include "lifecycle/pipeline_conditions.h"
#include "model/ensemble_check.h"

namespace modelmill {
namespace {

/// What is known of one of the ensemble's tensors.
struct Known {
  DataType dtype = DataType::kInvalid;
  Shape dims;  // without the batch dimension
  bool batched = false;
  std::string from;  // the model that it is known from

  Shape whole() const {
    Shape out = dims;
    if (batched) out.insert(out.begin(), -1);
    return out;
  }
};

bool is_batched(const ModelDefinition& definition) { return definition.max_batch_size.value_or(0) > 0; }

Known known_of(const TensorSpec& spec, const EnsembleMember& member, const std::string& from) {
  Known out{spec.dtype, spec.shape, is_batched(member.definition), from};
  if (out.batched && !out.dims.empty()) out.dims.erase(out.dims.begin());
  return out;
}

std::string listed(const std::vector<TensorSpec>& specs) {
  std::string out;
  for (const TensorSpec& spec : specs) out += (out.empty() ? "'" : ", '") + spec.name + "'";
  return out;
}

/// Plans an ensemble of steps.
class Planning {
 public:
  Planning(ModelDefinition& definition, const FindMember& find) : definition_(definition), find_(find) {}

  Result<PlannedEnsemble> run() {
    plan_->name = definition_.name;
    MM_RETURN_IF_ERROR(find_members());
    settle_batching();
    put_declared();
    for (size_t i = 0; i < members_.size(); ++i) MM_RETURN_IF_ERROR(add_step(i));
    put_signature();
    for (const TensorSpec& spec : signature_.inputs) plan_->inputs.push_back({spec.name, tensor(spec.name)});
    for (const TensorSpec& spec : signature_.outputs) MM_RETURN_IF_ERROR(add_output(spec));
    if (definition_.ensemble->has_conditions()) MM_RETURN_IF_ERROR(add_conditions());
    plan_->batched = is_batched(definition_);
    MM_RETURN_IF_ERROR(split_into_levels(*plan_, definition_.ensemble->most_under_way));
    definition_.decoupled = plan_->levels != nullptr;
    return PlannedEnsemble{plan_, std::move(signature_)};
  }

 private:
  const std::vector<EnsembleStep>& steps() const { return definition_.ensemble->steps; }
  std::string in_ensemble() const { return "in ensemble " + definition_.name + ", "; }

  Status find_members() {
    for (const EnsembleStep& step : steps()) {
      MM_ASSIGN_OR_RETURN(EnsembleMember member, find_(step));
      members_.push_back(std::move(member));
    }
    return ok_status();
  }

  /// Where nothing is said, the ensemble has a batch dimension if all its members have.
  void settle_batching() {
    if (definition_.max_batch_size) return;
    const bool all = std::all_of(members_.begin(), members_.end(),
                                 [](const EnsembleMember& member) { return is_batched(member.definition); });
    definition_.max_batch_size = 0;
    if (!definition_.inputs.empty() || !all) return;
    int64_t least = *members_.front().definition.max_batch_size;
    for (const EnsembleMember& member : members_) least = std::min(least, *member.definition.max_batch_size);
    definition_.max_batch_size = least;
    definition_.batching.mode = BatchingDefinition::Mode::kAuto;  // found out, so no bound for clients
  }

  /// What the ensemble's own configuration says of tensors.
  void put_declared() {
    for (const auto* list : {&definition_.inputs, &definition_.outputs})
      for (const ConfiguredTensor& tensor : *list)
        known_.emplace(tensor.name, Known{tensor.dtype, tensor.dims, is_batched(definition_), definition_.name});
    for (const ConfiguredTensor& input : definition_.inputs) optional_[input.name] = input.optional;
  }

  size_t tensor(const std::string& name) {
    const auto [it, fresh] = tensors_.emplace(name, plan_->tensors.size());
    if (fresh) {
      plan_->tensors.push_back(name);
      plan_->readers.emplace_back();
      plan_->writers.push_back(steps().size());
    }
    return it->second;
  }

  Status add_step(size_t i) {
    const EnsembleStep& from = steps()[i];
    const EnsembleMember& member = members_[i];
    const int64_t most = member.definition.max_batch_size.value_or(0);
    const bool bound = member.definition.batching.mode != BatchingDefinition::Mode::kAuto;
    if (bound && most != 0 && most < definition_.max_batch_size.value_or(0))
      return invalid_argument("ensemble " + definition_.name + " allows maximum batch size " +
                              std::to_string(*definition_.max_batch_size) + ", but it contains model " + from.model +
                              " which only allows maximum batch size to be " + std::to_string(most));
    EnsemblePlan::Step step{from.model, from.version, from.label,      is_batched(member.definition),
                            {},         {},           member.signature};
    step.decoupled = member.definition.decoupled;
    MM_RETURN_IF_ERROR(add_inputs(from, member, step, i));
    MM_RETURN_IF_ERROR(add_outputs(from, member, step, i));
    plan_->steps.push_back(std::move(step));
    return ok_status();
  }

  Status add_inputs(const EnsembleStep& from, const EnsembleMember& member, EnsemblePlan::Step& step, size_t i) {
    for (const auto& [input, name] : from.inputs)
      if (member.signature.input(input) == nullptr)
        return invalid_argument(in_ensemble() + "ensemble tensor " + name + " is mapping to non-existing input " +
                                input + " in model " + from.model + "; its inputs are " +
                                listed(member.signature.inputs));
    for (const TensorSpec& spec : member.signature.inputs) {
      const auto mapped = from.inputs.find(spec.name);
      if (mapped == from.inputs.end()) {
        if (spec.optional) continue;
        return invalid_argument(in_ensemble() + "input " + spec.name + " in model " + from.model +
                                " is not mapped to any ensemble tensors");
      }
      const Known here = known_of(spec, member, from.model);
      MM_RETURN_IF_ERROR(agree(mapped->second, here));
      const size_t at = tensor(mapped->second);
      if (const auto it = optional_.find(mapped->second); it != optional_.end() && it->second && !spec.optional)
        return invalid_argument(in_ensemble() + "ensemble input " + mapped->second + " is optional, but input " +
                                spec.name + " in model " + from.model + " needs it");
      step.inputs.push_back({{spec.name, at}, spec.optional, false, here.dims});
      auto& readers = plan_->readers[at];
      if (readers.empty() || readers.back() != i) readers.push_back(i);
    }
    return ok_status();
  }

  Status add_outputs(const EnsembleStep& from, const EnsembleMember& member, EnsemblePlan::Step& step, size_t i) {
    for (const auto& [output, name] : from.outputs) {
      const TensorSpec* spec = member.signature.output(output);
      if (spec == nullptr)
        return invalid_argument(in_ensemble() + "ensemble tensor " + name + " is mapped from non-existing output " +
                                output + " in model " + from.model + "; its outputs are " +
                                listed(member.signature.outputs));
      MM_RETURN_IF_ERROR(agree(name, known_of(*spec, member, from.model)));
      const size_t at = tensor(name);
      plan_->writers[at] = i;
      step.outputs.push_back({output, at});
    }
    return ok_status();
  }

  /// Triton's ValidateTensorConsistency: types are equal, and sizes where neither is open, with or without the batch.
  Status agree(const std::string& name, const Known& here) {
    const auto [it, fresh] = known_.emplace(name, here);
    Known& there = it->second;
    if (fresh) return ok_status();
    const std::string what = in_ensemble() + "ensemble tensor " + name + ": ";
    if (there.dtype != here.dtype)
      return invalid_argument(what + "inconsistent data type: " + std::string(dtype_config_name(there.dtype)) +
                              " is inferred from model " + there.from + " while " +
                              std::string(dtype_config_name(here.dtype)) + " is inferred from model " + here.from);
    if (!may_be_equal(there.dims, here.dims) && !may_be_equal(there.whole(), here.whole()))
      return invalid_argument(what + "inconsistent shape: " + shape_text(dims(there.whole())) +
                              " is inferred from model " + there.from + " while " + shape_text(dims(here.whole())) +
                              " is inferred from model " + here.from);
    // What one leaves open the other may know.
    if (there.dims.size() == here.dims.size())
      for (size_t d = 0; d < here.dims.size(); ++d)
        if (there.dims[d] == -1 && there.from != definition_.name) there.dims[d] = here.dims[d];
    return ok_status();
  }

  Status add_conditions() {
    const auto type_of = [this](const std::string& name) {
      const auto it = known_.find(name);
      return it == known_.end() ? DataType::kInvalid : it->second.dtype;
    };
    for (const EnsembleStep& step : steps())
      if (step.when) (void)tensor(step.when->tensor);  // maybe an input that nobody else reads
    std::set<size_t> optional;
    for (const TensorSpec& spec : signature_.inputs)
      if (spec.optional) optional.insert(tensor(spec.name));
    return plan_conditions(definition_, type_of, optional, *plan_);
  }

  bool all_readers_can_do_without(const std::string& name) {
    for (const EnsemblePlan::Step& step : plan_->steps)
      for (const EnsemblePlan::Input& input : step.inputs)
        if (plan_->tensors[input.tensor] == name && !input.optional) return false;
    return true;
  }

  TensorSpec spec_of(const std::string& name, bool batched) {
    const Known& known = known_.at(name);
    TensorSpec spec{name, known.dtype, known.dims, {}, false};
    if (batched) spec.shape.insert(spec.shape.begin(), -1);
    return spec;
  }

  /// As declared, or as it follows from the members.
  void put_signature() {
    const bool batched = is_batched(definition_);
    const EnsembleGraph graph = graph_of(steps());
    if (definition_.inputs.empty()) {
      for (const std::string& name : graph.unwritten) {
        signature_.inputs.push_back(batched ? spec_of(name, true) : whole_spec(name));
        signature_.inputs.back().optional = all_readers_can_do_without(name);
      }
    }
    for (const ConfiguredTensor& tensor : definition_.inputs) {
      signature_.inputs.push_back(spec_of(tensor.name, batched));
      signature_.inputs.back().optional = tensor.optional;
    }
    if (definition_.outputs.empty())
      for (const std::string& name : graph.unread)
        signature_.outputs.push_back(batched ? spec_of(name, true) : whole_spec(name));
    for (const ConfiguredTensor& tensor : definition_.outputs)
      signature_.outputs.push_back(spec_of(tensor.name, batched));
    // Whether a shape may have to be made to fit.
    for (EnsemblePlan::Step& step : plan_->steps)
      for (EnsemblePlan::Input& input : step.inputs) input.fits_batch = written_batched(input.tensor) != step.batched;
  }

  /// Without a batch dimension of the ensemble's own, a tensor's shape is the whole of its member's.
  TensorSpec whole_spec(const std::string& name) {
    return TensorSpec{name, known_.at(name).dtype, known_.at(name).whole(), {}, false};
  }

  bool written_batched(size_t tensor) const {
    const size_t writer = plan_->writers[tensor];
    return writer == steps().size() ? is_batched(definition_) : is_batched(members_[writer].definition);
  }

  Status add_output(const TensorSpec& spec) {
    const auto it = tensors_.find(spec.name);
    if (it == tensors_.end())
      return invalid_argument("ensemble output '" + spec.name + "' for ensemble '" + definition_.name +
                              "' is not used");
    EnsemblePlan::Input output{{spec.name, it->second}, false, false, spec.shape};
    output.fits_batch = written_batched(it->second) != is_batched(definition_);
    if (is_batched(definition_) && !output.dims.empty()) output.dims.erase(output.dims.begin());
    plan_->outputs.push_back(std::move(output));
    return ok_status();
  }

  ModelDefinition& definition_;
  const FindMember& find_;
  const std::shared_ptr<EnsemblePlan> plan_ = std::make_shared<EnsemblePlan>();
  std::vector<EnsembleMember> members_;  // by step
  std::map<std::string, size_t> tensors_;
  std::map<std::string, Known> known_;
  std::map<std::string, bool> optional_;
  Signature signature_;
};

}  // namespace

bool may_be_equal(const Shape& a, const Shape& b) {
  return a.size() == b.size() &&
         std::equal(a.begin(), a.end(), b.begin(), [](int64_t x, int64_t y) { return x == y || x == -1 || y == -1; });
}

Result<PlannedEnsemble> plan_ensemble(ModelDefinition& definition, const FindMember& find) {
  if (definition.ensemble->combination) return plan_combination(definition, find);
  return Planning(definition, find).run();
}

}  // namespace modelmill
