#include "model.h"

#include <algorithm>
#include <filesystem>
#include <thread>

#include "init_ops.h"
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

std::string names_of(const std::map<std::string, GraphEntry>& entries) {
  std::string out;
  for (const auto& [name, unused] : entries) out += (out.empty() ? "'" : ", '") + name + "'";
  return out;
}

/// The signature that requests get which name none.
std::string choose_signature(const LoadedGraph& graph, const backend::ModelArgs& args) {
  const auto& entries = graph.entries;
  const std::string& wanted = graph.options.signature;
  if (entries.contains(wanted)) return wanted;
  if (entries.empty())
    throw Error(MM_INVALID_ARGUMENT,
                "it has no signature to serve; give tf.saved_model.save a function with the argument signatures");
  if (args.config.parameter("TF_SIGNATURE_DEF"))
    throw Error(MM_NOT_FOUND, "it has no signature '" + wanted + "', which the parameter TF_SIGNATURE_DEF names; it " +
                                  "has " + names_of(entries));
  const std::string& first = entries.begin()->first;
  if (entries.size() > 1)
    backend::log(args.host_model, MM_LOG_WARNING,
                 "it has no signature 'serving_default'; '" + first + "' is served to who names none, of " +
                     names_of(entries) + " (the parameter TF_SIGNATURE_DEF names another)");
  return first;
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

LoadedGraph::LoadedGraph(const backend::ModelArgs& args)
    : label("model '" + args.name + "' version " + std::to_string(args.version)),
      directory(folder_of(args.file)),
      cores(static_cast<int>(std::max(1u, std::thread::hardware_concurrency()))),
      options(Options::read(args.config, args.instance_threads, cores)) {
  std::string bytes;
  session = std::make_unique<Session>(directory, options, &bytes);
  if (const auto file = args.config.parameter("TF_INIT_OPS_FILE"); file && !file->empty())
    session->run(read_init_ops(args.directory.empty() ? directory : args.directory, *file));
  MetaGraph graph = read_meta_graph(bytes);
  for (auto& [name, signature] : graph.signatures) {
    if (is_internal(name)) continue;
    std::vector<std::string> reached;
    for (const auto& [unused, tensor] : signature.outputs) reached.push_back(tensor.tensor);
    Keepers keepers = find_keepers(graph.graph, reached, keeper_ops());
    entries.emplace(name, GraphEntry{std::move(signature), std::move(keepers)});
  }
}

SavedModel::SavedModel(const backend::ModelArgs& args) {
  try {
    graph_ = std::make_shared<const LoadedGraph>(args);
    name_ = choose_signature(*graph_, args);
    read(args.config.inputs(), args.config.outputs(), args.host_model);
  } catch (const Error& e) {
    throw Error(e.code(), "model '" + args.name + "' version " + std::to_string(args.version) + ": " + e.what());
  }
}

SavedModel::SavedModel(std::shared_ptr<const LoadedGraph> graph, const std::string& signature,
                       mm_host_model* host_model)
    : graph_(std::move(graph)), name_(signature), shares_(true) {
  read({}, {}, host_model);
}

void SavedModel::read(const Specs& inputs, const Specs& outputs, mm_host_model* host_model) {
  read_inputs(inputs);
  read_outputs(outputs, host_model);
  name_batch_dimension();
  note_keepers(host_model);
}

void SavedModel::read_inputs(const Specs& configured) {
  for (const auto& [name, tensor] : entry().signature.inputs) {
    if (!tensor.problem.empty())
      throw Error(MM_UNIMPLEMENTED, "input '" + name + "' " + tensor.problem + ": such signatures can't be served");
    Port port = make_port(name, tensor, *graph_->session);
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

void SavedModel::read_outputs(const Specs& configured, mm_host_model* host_model) {
  std::string hidden;
  for (const auto& [name, tensor] : entry().signature.outputs) {
    if (!tensor.problem.empty()) {
      hidden = "output '" + name + "' " + tensor.problem;
      backend::log(host_model, MM_LOG_WARNING, hidden + "; it is not served");
      continue;
    }
    Port port = make_port(name, tensor, *graph_->session);
    if (tensor.unknown_rank && !complete_shape(port.spec, configured))
      backend::log(host_model, MM_LOG_INFO,
                   "output '" + name + "' may have any number of dimensions; it is described as a scalar unless the " +
                       "configuration's output gives its dims, and answered as it is");
    outputs_.push_back(std::move(port));
  }
  if (outputs_.empty())
    throw Error(MM_UNIMPLEMENTED, "it has no output that can be served" + (hidden.empty() ? "" : ": " + hidden));
}

void SavedModel::note_keepers(mm_host_model* host_model) {
  const Keepers& keepers = entry().keepers;
  keeps_inputs_ = !keepers.of_inputs.empty();
  keeps_state_ = !keepers.of_state.empty();
  if (keeps_inputs_)
    backend::log(host_model, MM_LOG_DEBUG,
                 "inputs are copied, because its graph has '" + keepers.of_inputs + "', which may keep what it gets");
  if (keeps_state_)
    backend::log(host_model, MM_LOG_INFO,
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
  if (graph_->options.on_caller()) out.capabilities |= MM_CAP_INLINE_SAFE;
  if (keeps_state_) out.capabilities |= MM_CAP_STATEFUL;
  if (!shares_) out.memory_bytes = bytes_in(graph_->directory);
  out.recommended_instances = static_cast<uint32_t>(std::max(1, graph_->cores / graph_->options.intra_op_threads));
  out.platform = "tensorflow_savedmodel";
  out.signature = name_;
  out.signature_method = entry().signature.method;
  for (const auto& [name, unused] : graph_->entries)
    if (!shares_ && name != name_) out.other_signatures.push_back(name);
  return out;
}

std::unique_ptr<backend::Instance> SavedModel::create_instance(const backend::InstanceArgs& args) {
  if (args.kind == MM_DEVICE_GPU)
    throw Error(MM_FAILED_PRECONDITION,
                graph_->label + ": SavedModels are run on the CPU; use KIND_CPU or device: cpu");
  return make_instance(*this);
}

std::unique_ptr<backend::Model> SavedModel::open_signature(const std::string& name, mm_host_model* host_model) {
  if (!graph_->entries.contains(name))
    throw Error(MM_NOT_FOUND,
                graph_->label + ": it has no signature '" + name + "'; it has " + names_of(graph_->entries));
  return std::make_unique<SavedModel>(graph_, name, host_model);
}

}  // namespace modelmill::tensorflow
