#include <algorithm>

#include "model/triton_config.h"

namespace modelmill {
namespace {

using inference::ModelConfig;

const ConfiguredTensor* find(const std::vector<ConfiguredTensor>& tensors, const std::string& name) {
  for (const ConfiguredTensor& tensor : tensors)
    if (tensor.name == name) return &tensor;
  return nullptr;
}

template <typename Io>
Io* find_or_add(google::protobuf::RepeatedPtrField<Io>* list, const std::string& name) {
  for (Io& io : *list)
    if (io.name() == name) return &io;
  Io* io = list->Add();
  io->set_name(name);
  return io;
}

/// Writes what clients see of a tensor. A scalar has no dims to write, so it becomes Triton's spelling of one: a single
/// element that is reshaped to nothing.
template <typename Io>
void fill_tensor(Io& io, const TensorSpec& spec, bool batched) {
  io.set_data_type(static_cast<inference::DataType>(spec.dtype));
  io.clear_dims();
  for (size_t i = batched ? 1 : 0; i < spec.shape.size(); ++i) io.add_dims(spec.shape[i]);
  if (io.dims_size() == 0) {
    io.add_dims(1);
    io.mutable_reshape()->clear_shape();
  }
}

void fill_tensors(ModelConfig& config, const ModelDefinition& definition, const Signature& signature) {
  const bool batched = definition.max_batch_size.value_or(0) > 0;
  for (const TensorSpec& spec : signature.inputs) {
    auto* io = find_or_add(config.mutable_input(), spec.name);
    fill_tensor(*io, spec, batched);
    io->set_optional(spec.optional);
    if (const auto* configured = find(definition.inputs, spec.name); configured && configured->reshape) {
      io->mutable_reshape()->clear_shape();
      for (const int64_t d : *configured->reshape) io->mutable_reshape()->add_shape(d);
    }
  }
  for (const TensorSpec& spec : signature.outputs) {
    auto* io = find_or_add(config.mutable_output(), spec.name);
    fill_tensor(*io, spec, batched);
    if (const auto* configured = find(definition.outputs, spec.name)) {
      io->set_label_filename(configured->label_filename);
      if (configured->reshape) {
        io->mutable_reshape()->clear_shape();
        for (const int64_t d : *configured->reshape) io->mutable_reshape()->add_shape(d);
      }
    }
  }
}

inference::ModelInstanceGroup::Kind to_kind(InstanceGroup::Kind kind) {
  switch (kind) {
    case InstanceGroup::Kind::kGpu: return inference::ModelInstanceGroup::KIND_GPU;
    case InstanceGroup::Kind::kModel: return inference::ModelInstanceGroup::KIND_MODEL;
    default: return inference::ModelInstanceGroup::KIND_CPU;
  }
}

/// The definition's groups in place of the source's, which they were made from; the fields that only the source has
/// stay.
void fill_instance_groups(ModelConfig& config, const ModelDefinition& definition) {
  for (size_t i = 0; i < definition.instance_groups.size(); ++i) {
    const InstanceGroup& from = definition.instance_groups[i];
    auto* to = static_cast<int>(i) < config.instance_group_size() ? config.mutable_instance_group(static_cast<int>(i))
                                                                  : config.add_instance_group();
    to->set_name(from.name.empty() ? definition.name + '_' + std::to_string(i) : from.name);
    to->set_kind(to_kind(from.kind));
    to->set_count(std::max(from.count, 1));
    to->clear_gpus();
    for (const int gpu : from.gpus) to->add_gpus(gpu);
  }
  if (config.instance_group_size() == 0) {
    auto* group = config.add_instance_group();
    group->set_name(definition.name);
    group->set_kind(inference::ModelInstanceGroup::KIND_CPU);
    group->set_count(1);
  }
}

void fill_batching(ModelConfig& config, const ModelDefinition& definition) {
  config.set_max_batch_size(static_cast<int32_t>(definition.max_batch_size.value_or(0)));
  if (config.max_batch_size() > 1 && definition.batching.mode != BatchingDefinition::Mode::kDisabled)
    config.mutable_dynamic_batching();
  if (!config.has_dynamic_batching()) return;
  auto* batching = config.mutable_dynamic_batching();
  if (batching->preferred_batch_size_size() == 0 && config.max_batch_size() > 0)
    batching->add_preferred_batch_size(config.max_batch_size());
}

}  // namespace

ModelConfig complete_triton_config(const ModelDefinition& definition, const Signature& signature) {
  ModelConfig config;
  // Our own serialisation, so it parses; with none the configuration starts empty.
  (void)config.ParseFromString(definition.triton_config);
  config.set_name(definition.name);
  config.set_backend(definition.backend);
  config.set_platform(definition.platform.empty() ? platform_of_backend(definition.backend) : definition.platform);
  config.set_default_model_filename(definition.default_model_filename);
  if (config.version_policy().policy_choice_case() == inference::ModelVersionPolicy::POLICY_CHOICE_NOT_SET)
    config.mutable_version_policy()->mutable_latest()->set_num_versions(1);
  fill_tensors(config, definition, signature);
  // An ensemble's own word doesn't count: its members decide.
  if (definition.decoupled || (definition.ensemble && config.has_model_transaction_policy()))
    config.mutable_model_transaction_policy()->set_decoupled(definition.decoupled);
  if (definition.ensemble) {  // it has neither a queue nor instances of its own
    config.set_max_batch_size(static_cast<int32_t>(definition.max_batch_size.value_or(0)));
    return config;
  }
  fill_batching(config, definition);
  fill_instance_groups(config, definition);
  if (!config.optimization().has_input_pinned_memory())
    config.mutable_optimization()->mutable_input_pinned_memory()->set_enable(true);
  if (!config.optimization().has_output_pinned_memory())
    config.mutable_optimization()->mutable_output_pinned_memory()->set_enable(true);
  // The one way in which clients can learn it; Triton's own configuration has no field for it.
  if (!definition.unbatched_reason.empty())
    (*config.mutable_parameters())["unbatched_reason"].set_string_value(definition.unbatched_reason);
  return config;
}

}  // namespace modelmill
