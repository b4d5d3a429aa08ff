#include "model.h"

#include <algorithm>
#include <filesystem>
#include <thread>

#include "pytree.h"
#include "tensor_names.h"
#include "torch_file.h"
#include "trial.h"

namespace modelmill::pytorch {
namespace {

using backend::Error;
using backend::TensorSpec;

/// As many executions as the configuration or the machine has instances for.
int runners_for(const backend::ModelConfig& config, int usual) {
  int64_t configured = 0;
  for (const backend::Json& group : config.json()["instance_group"].items())
    configured += std::max<int64_t>(1, group["count"].integer(1));
  return static_cast<int>(std::clamp<int64_t>(std::max<int64_t>(usual, configured), 1, 1024));
}

}  // namespace

TorchModel::TorchModel(const backend::ModelArgs& args, Bridge& bridge)
    : label_("model '" + args.name + "' version " + std::to_string(args.version)),
      file_(args.file),
      cores_(static_cast<int>(std::max(1u, std::thread::hardware_concurrency()))) {
  try {
    options_ = Options::read(args.config, args.instance_threads, cores_);
    if (options_.fork_threads > 0 && !bridge.set_fork_threads(options_.fork_threads))
      backend::log(args.host_model, MM_LOG_WARNING,
                   "INTER_OP_THREAD_COUNT is passed over: the threads that forks run on are the whole process's, and "
                   "another model has settled their number");
    load(args, bridge);
  } catch (const Error& e) {
    throw Error(e.code(), label_ + ": " + e.what());
  }
}

void TorchModel::load(const backend::ModelArgs& args, Bridge& bridge) {
  const TorchFile file = look_at_file(file_);
  package_ = file.kind == TorchFile::Kind::kPackage;
  const auto known = package_ ? read_wrapper(file.wrapper) : std::nullopt;
  const auto open = [&] {
    return package_ ? bridge.load_package(file_, file.model,
                                          runners_for(args.config, std::max(1, cores_ / options_.run.threads)))
                    : bridge.load_script(file_);
  };
  program_ = open();
  learn_signature(args, known ? &*known : nullptr);
  if (!program_->description().keeps_state) return;
  backend::log(args.host_model, MM_LOG_INFO,
               "it is neither batched nor warmed up with made-up inputs, because its forward() changes what it keeps");
  program_ = open();  // as it was before it was tried
}

void TorchModel::learn_signature(const backend::ModelArgs& args, const std::vector<PackageInput>* known) {
  const Description& description = program_->description();
  const std::vector<Argument> arguments = package_ ? package_arguments(description, known) : description.arguments;
  argument_count_ = arguments.size();
  dictionary_ = takes_dictionary(arguments);
  inputs_ = make_inputs(args.config, arguments, known);
  const std::vector<TensorSpec> configured = args.config.outputs();
  const bool inputs_configured = !args.config.inputs().empty();
  std::vector<Port> tried;
  try {
    tried = try_model(*program_, argument_count_, inputs_, inputs_configured, options_.run,
                      pytree_names(description.returns));
  } catch (const Error& e) {
    if (!inputs_configured || configured.empty()) throw;
    // What the author wrote down has to do: zeros may be wrong values for this model.
    backend::log(args.host_model, MM_LOG_DEBUG, e.what());
  }
  name_outputs(configured, std::move(tried));
}

void TorchModel::name_outputs(const std::vector<TensorSpec>& configured, std::vector<Port> tried) {
  outputs_ = tried;
  if (configured.empty()) return;
  std::vector<std::string> names, own;
  for (const TensorSpec& spec : configured) names.push_back(spec.name);
  for (const Port& port : tried) own.push_back(port.spec.name);
  if (tried.empty()) own.resize(configured.size());
  const std::vector<size_t> places = match_names(names, own, "output");
  outputs_.clear();
  for (size_t i = 0; i < configured.size(); ++i) {
    Port& port = outputs_.emplace_back();
    port.spec = configured[i];
    port.place = places[i];
    if (tried.empty()) continue;
    const TensorSpec& real = tried[places[i]].spec;
    if (real.dtype != port.spec.dtype || real.shape.size() != port.spec.shape.size())
      throw Error(MM_INVALID_ARGUMENT, "output '" + port.spec.name + "' is " + backend::dtype_name(port.spec.dtype) +
                                           backend::shape_text(port.spec.shape) +
                                           " in the configuration, but the model answers " +
                                           backend::dtype_name(real.dtype) + backend::shape_text(real.shape));
  }
}

backend::ModelInfo TorchModel::info() {
  const Description& description = program_->description();
  backend::ModelInfo out;
  for (const Port& port : inputs_) out.inputs.push_back(port.spec);
  for (const Port& port : outputs_) out.outputs.push_back(port.spec);
  out.capabilities = MM_CAP_OUTPUT_SHAPES_UNSURE;
  // The code of a package has threads of its own, as many as it was compiled for.
  const bool on_caller = !package_ && !description.forks && !description.keeps_state && options_.run.threads == 1;
  if (on_caller) out.capabilities |= MM_CAP_INLINE_SAFE;
  if (description.keeps_state) out.capabilities |= MM_CAP_STATEFUL;
  std::error_code ignored;
  out.memory_bytes = std::filesystem::file_size(file_, ignored);
  // One execution at a time changes the state, so more instances would wait for each other.
  out.recommended_instances =
      description.keeps_state ? 1 : static_cast<uint32_t>(std::max(1, cores_ / options_.run.threads));
  out.platform = package_ ? "torch_aoti" : "pytorch_libtorch";
  return out;
}

std::unique_ptr<backend::Instance> TorchModel::create_instance(const backend::InstanceArgs& args) {
  if (args.kind == MM_DEVICE_GPU)
    throw Error(MM_FAILED_PRECONDITION, label_ + ": models of PyTorch are run on the CPU; use KIND_CPU or device: cpu");
  return make_instance(*this);
}

}  // namespace modelmill::pytorch
