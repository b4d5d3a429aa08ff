#include "model.h"

#include <algorithm>
#include <filesystem>
#include <thread>

#include "input_keepers.h"

namespace modelmill::tensorflow {
namespace {

namespace fs = std::filesystem;
using backend::Error;
using backend::TensorSpec;

/// The SavedModel's folder: the "file" that Triton's layout names is one, TensorFlow Serving's is in it.
std::string folder_of(const std::string& file) {
  std::error_code ignored;
  if (fs::is_directory(file, ignored)) return file;
  const fs::path folder = fs::path(file).parent_path();
  return folder.empty() ? "." : folder.string();
}

/// Bytes of the graph and of the variables.
uint64_t bytes_in(const fs::path& folder) {
  uint64_t out = 0;
  std::error_code error;
  for (const fs::path& part : {folder, folder / "variables"})
    for (fs::directory_iterator it(part, error), end; !error && it != end; it.increment(error)) {
      std::error_code ignored;
      if (it->is_regular_file(ignored)) out += it->file_size(ignored);
    }
  return out;
}

/// Those of initialisation and training are no business of clients'.
bool is_internal(const std::string& signature) { return signature.starts_with("__saved_model_"); }

const SignatureDef& choose_signature(const MetaGraph& graph, const backend::ModelArgs& args, const Options& options) {
  if (const auto named = graph.signatures.find(options.signature); named != graph.signatures.end())
    return named->second;
  std::string there;
  const std::pair<const std::string, SignatureDef>* first = nullptr;
  for (const auto& entry : graph.signatures) {
    if (is_internal(entry.first)) continue;
    if (first == nullptr) first = &entry;
    there += (there.empty() ? "'" : ", '") + entry.first + "'";
  }
  if (first == nullptr)
    throw Error(MM_INVALID_ARGUMENT,
                "it has no signature to serve; give tf.saved_model.save a function with the argument signatures");
  if (args.config.parameter("TF_SIGNATURE_DEF"))
    throw Error(MM_NOT_FOUND, "it has no signature '" + options.signature + "', which the parameter TF_SIGNATURE_DEF" +
                                  " names; it has " + there);
  if (there.find(", ") != std::string::npos)
    backend::log(args.host_model, MM_LOG_WARNING,
                 "it has no signature 'serving_default'; '" + first->first + "' is served, of " + there +
                     " (the parameter TF_SIGNATURE_DEF names another)");
  return first->second;
}

Port make_port(const std::string& name, const SignatureTensor& tensor, const Session& session) {
  Port out;
  out.spec.name = name;
  out.spec.dtype = from_tf(tensor.type);
  out.spec.shape = tensor.shape;
  out.spec.symbols = tensor.symbols;
  out.type = tensor.type;
  out.place = session.find(tensor.tensor);
  return out;
}

/// A tensor of any rank has the shape that the configuration gives it. False when it gives none.
bool complete_shape(TensorSpec& spec, const std::vector<TensorSpec>& configured) {
  for (const TensorSpec& c : configured) {
    if (c.name != spec.name) continue;
    spec.shape = c.shape;
    spec.symbols = c.symbols;
    return true;
  }
  return false;
}

Handle<TF_Tensor> tensor_of_proto(const std::string& proto) {
  const Status status;
  const Handle<TF_Buffer> buffer(api.NewBufferFromString(proto.data(), proto.size()));
  Handle<TF_Tensor> out(api.AllocateTensor(DataType::kFloat, nullptr, 0, sizeof(float)));
  api.TensorFromProto(buffer.get(), out.get(), status.get());
  status.check("default value");
  return out;
}

const KeeperOps& keeper_ops() {
  static const KeeperOps* const ops = [] {
    const Handle<TF_Buffer> list(api.GetAllOpList());
    return new KeeperOps({static_cast<const char*>(list->data), list->length});
  }();
  return *ops;
}

}  // namespace

SavedModel::SavedModel(const backend::ModelArgs& args)
    : label_("model '" + args.name + "' version " + std::to_string(args.version)),
      directory_(folder_of(args.file)),
      cores_(static_cast<int>(std::max(1u, std::thread::hardware_concurrency()))) {
  try {
    options_ = Options::read(args.config, args.instance_threads, cores_);
    std::string bytes;
    session_ = std::make_unique<Session>(directory_, options_, &bytes);
    const MetaGraph graph = read_meta_graph(bytes);
    const SignatureDef& signature = choose_signature(graph, args, options_);
    read_inputs(signature, args.config);
    read_outputs(signature, args);
    name_batch_dimension();
    look_for_keepers(graph, signature, args);
  } catch (const Error& e) {
    throw Error(e.code(), label_ + ": " + e.what());
  }
}

void SavedModel::read_inputs(const SignatureDef& signature, const backend::ModelConfig& config) {
  const std::vector<TensorSpec> configured = config.inputs();
  for (const auto& [name, tensor] : signature.inputs) {
    if (!tensor.problem.empty())
      throw Error(MM_UNIMPLEMENTED, "input '" + name + "' " + tensor.problem + ": such signatures can't be served");
    Port port = make_port(name, tensor, *session_);
    if (tensor.unknown_rank && !complete_shape(port.spec, configured))
      throw Error(MM_INVALID_ARGUMENT, "input '" + name +
                                           "' may have any number of dimensions, which can't be served; say how many "
                                           "it has with its dims in the configuration's input");
    if (!tensor.default_value.empty()) {
      port.fallback = tensor_of_proto(tensor.default_value);
      port.spec.optional = true;
    }
    inputs_.push_back(std::move(port));
  }
}

void SavedModel::read_outputs(const SignatureDef& signature, const backend::ModelArgs& args) {
  const std::vector<TensorSpec> configured = args.config.outputs();
  std::string hidden;
  for (const auto& [name, tensor] : signature.outputs) {
    if (!tensor.problem.empty()) {
      hidden = "output '" + name + "' " + tensor.problem;
      backend::log(args.host_model, MM_LOG_WARNING, hidden + "; it is not served");
      continue;
    }
    Port port = make_port(name, tensor, *session_);
    if (tensor.unknown_rank && !complete_shape(port.spec, configured))
      backend::log(args.host_model, MM_LOG_INFO,
                   "output '" + name + "' may have any number of dimensions; it is described as a scalar unless the " +
                       "configuration's output gives its dims, and answered as it is");
    outputs_.push_back(std::move(port));
  }
  if (outputs_.empty())
    throw Error(MM_UNIMPLEMENTED, "it has no output that can be served" + (hidden.empty() ? "" : ": " + hidden));
}

void SavedModel::look_for_keepers(const MetaGraph& graph, const SignatureDef& signature,
                                  const backend::ModelArgs& args) {
  std::vector<std::string> reached;
  for (const auto& [unused, tensor] : signature.outputs) reached.push_back(tensor.tensor);
  const Keepers keepers = find_keepers(graph.graph, reached, keeper_ops());
  keeps_inputs_ = !keepers.of_inputs.empty();
  keeps_state_ = !keepers.of_state.empty();
  if (keeps_inputs_)
    backend::log(args.host_model, MM_LOG_DEBUG,
                 "inputs are copied, because its graph has '" + keepers.of_inputs + "', which may keep what it gets");
  if (keeps_state_)
    backend::log(args.host_model, MM_LOG_INFO,
                 "it is neither batched nor warmed up with made-up inputs, because its graph has '" + keepers.of_state +
                     "', which keeps state");
}

/// A first dimension of any size, everywhere, is the batch by the custom of Keras and of all who serve SavedModels. Its
/// name says so to the server, which still tries out whether the rows are independent.
void SavedModel::name_batch_dimension() {
  const auto open = [](const Port& port) {
    const TensorSpec& spec = port.spec;
    return !spec.shape.empty() && spec.shape[0] == -1 && (spec.symbols.empty() || spec.symbols[0].empty());
  };
  if (!std::all_of(inputs_.begin(), inputs_.end(), open) || !std::all_of(outputs_.begin(), outputs_.end(), open))
    return;
  for (std::vector<Port>* ports : {&inputs_, &outputs_})
    for (Port& port : *ports) {
      port.spec.symbols.resize(port.spec.shape.size());
      port.spec.symbols[0] = "batch";
    }
}

backend::ModelInfo SavedModel::info() {
  backend::ModelInfo out;
  for (const Port& port : inputs_) out.inputs.push_back(port.spec);
  for (const Port& port : outputs_) out.outputs.push_back(port.spec);
  out.capabilities = MM_CAP_OUTPUT_SHAPES_UNSURE;
  if (options_.on_caller()) out.capabilities |= MM_CAP_INLINE_SAFE;
  if (keeps_state_) out.capabilities |= MM_CAP_STATEFUL;
  out.memory_bytes = bytes_in(directory_);
  out.recommended_instances = static_cast<uint32_t>(std::max(1, cores_ / options_.intra_op_threads));
  out.platform = "tensorflow_savedmodel";
  return out;
}

std::unique_ptr<backend::Instance> SavedModel::create_instance(const backend::InstanceArgs& args) {
  if (args.kind == MM_DEVICE_GPU)
    throw Error(MM_FAILED_PRECONDITION, label_ + ": SavedModels are run on the CPU; use KIND_CPU or device: cpu");
  return make_instance(*this);
}

}  // namespace modelmill::tensorflow
