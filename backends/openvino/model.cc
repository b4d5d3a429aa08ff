#include "model.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <functional>
#include <mutex>
#include <set>
#include <thread>

#include "precision.h"

namespace modelmill::ov {
namespace {

using backend::Error;
using backend::TensorSpec;

/// Up to this size a copy of the weights costs less than handing each execution to another thread and back.
constexpr uint64_t kOwnCopyBelow = 64 << 20;
constexpr size_t kMostProperties = 16;
/// Of a SavedModel, what OpenVINO reads, and what TensorFlow calls its method.
constexpr const char* kSavedSignature = "serving_default";
constexpr const char* kSavedMethod = "tensorflow/serving/predict";
/// A model that is compiled for a shape takes about as much beside its weights.
constexpr uint64_t kGraphBytes = 16 << 20;
/// Of a model, all of them together.
constexpr uint64_t kMostFixedBytes = 512 << 20;

const TensorSpec* find(const std::vector<TensorSpec>& specs, const std::string& name) {
  for (const TensorSpec& spec : specs)
    if (spec.name == name) return &spec;
  return nullptr;
}

/// Operators that no release has. The core is one for all models, so each library is added once.
void add_extension(const Core* core, const std::string& library) {
  static std::mutex adding;
  static std::set<std::string> added;
  const std::lock_guard lock(adding);
  if (added.contains(library)) return;
  check(api->core_add_extension(core, library.c_str()),
        "parameter 'CPU_EXTENSION_PATH': library '" + library + "' can't be loaded", MM_INVALID_ARGUMENT);
  added.insert(library);
}

/// `mapped`: weights stay in their file as long as the model is there. What is compiled again later must not be, for
/// by then the file may be another one's.
Handle<ov::Model> read_model(const Core* core, const std::string& file, bool mapped) {
  static std::mutex reading;  // the property is the core's
  const std::lock_guard lock(reading);
  check(api->core_set(core, "", "ENABLE_MMAP", mapped ? "YES" : "NO"));
  ov::Model* made = nullptr;
  check(api->core_read_model(core, file.c_str(), nullptr, &made), "file " + file + " can't be loaded",
        MM_INVALID_ARGUMENT);
  return Handle<ov::Model>(made);
}

/// The library takes them one by one: as many as there can be are passed, and it reads as many as there are.
CompiledModel* compile_with(const Core* core, const ov::Model* model, const std::string& device,
                            const Properties& properties) {
  std::array<const char*, 2 * kMostProperties> p{};
  if (properties.size() > kMostProperties)
    throw Error(MM_INVALID_ARGUMENT, "more than " + std::to_string(kMostProperties) + " properties are set");
  size_t n = 0;
  for (const auto& [key, value] : properties) {
    p[n++] = key.c_str();
    p[n++] = value.c_str();
  }
  CompiledModel* made = nullptr;
  check(api->core_compile_model(core, model, device.c_str(), n, &made, p[0], p[1], p[2], p[3], p[4], p[5], p[6], p[7],
                                p[8], p[9], p[10], p[11], p[12], p[13], p[14], p[15], p[16], p[17], p[18], p[19], p[20],
                                p[21], p[22], p[23], p[24], p[25], p[26], p[27], p[28], p[29], p[30], p[31]),
        "it can't be compiled for device " + device, MM_INVALID_ARGUMENT);
  return made;
}

}  // namespace

OvModel::OvModel(const backend::ModelArgs& args, const Library::Opened& library)
    : label_("model '" + args.name + "' version " + std::to_string(args.version)),
      source_(args.file),
      cores_(static_cast<int>(std::max(1u, std::thread::hardware_concurrency()))),
      core_(library.core),
      host_model_(args.host_model) {
  try {
    options_ = Options::read(args.config, args.instance_threads, cores_);
    if (!args.precision.empty()) lower_precision(options_, args.precision, core_);
    if (!options_.extension.empty()) add_extension(core_, options_.extension);
    read(args.config);
    fill_batches(args.config);
    const auto before = std::chrono::steady_clock::now();
    first_ = compile();
    if (!args.precision.empty()) check_precision(first_.get(), args.precision);
    compile_seconds_ = std::chrono::duration<double>(std::chrono::steady_clock::now() - before).count();
    const bool open = std::any_of(ports_.inputs.begin(), ports_.inputs.end(), std::mem_fn(&ModelPort::open));
    if (options_.shared)
      model_.reset();
    else if (options_.fixed_shapes && open)
      compiler_ = std::make_unique<ShapeCompiler>([this](FixedModel& fixed) { compile_fixed(fixed); },
                                                  kGraphBytes + bytes_, kMostFixedBytes);
  } catch (const Error& e) {
    throw Error(e.code(), label_ + ": " + e.what());
  }
}

void OvModel::read(const backend::ModelConfig& config) {
  if (source_.keeps_state())
    throw Error(MM_UNIMPLEMENTED, "file " + source_.path() + " keeps state between requests (ReadValue), which would " +
                                      "mix those of different clients; make it stateless before it is saved");
  bytes_ = source_.bytes();
  model_ = read_model(core_, source_.path(), options_.shared || bytes_ >= kOwnCopyBelow);
  ports_ = Ports::read(*model_);
  if (ports_.outputs.empty())
    throw Error(MM_UNIMPLEMENTED,
                "OpenVINO finds no output in " + source_.path() + "; it can't run what the model answers with");
  fit_to(config);
  check_ranks(config);
  find_batch_dimension(*model_, ports_);
  // Strings, and outputs of any rank, are read where OpenVINO keeps them: whether it has computed them can't be seen on
  // one thread (see OvInstance), and several of its own tell.
  const bool unseen = std::any_of(ports_.outputs.begin(), ports_.outputs.end(), [](const ModelPort& port) {
    return !port.rank_known || port.spec.dtype == MM_STRING;
  });
  if (!options_.shared && (unseen || bytes_ >= kOwnCopyBelow)) share(unseen ? 2 : 1);
}

/// A model whose first dimension stays fixed takes fewer rows than that where the host fills batches up.
void OvModel::fill_batches(const backend::ModelConfig& config) {
  const int64_t rows = config.max_batch_size();
  if (!options_.pad_batches || !options_.skip_batch || rows <= 0) return;
  for (const auto* ports : {&ports_.inputs, &ports_.outputs})
    for (const ModelPort& port : *ports)
      if (!port.rank_known || port.spec.shape.empty() || port.spec.shape[0] != rows)
        throw Error(MM_INVALID_ARGUMENT, "ENABLE_BATCH_PADDING fills batches up to max_batch_size, " +
                                             std::to_string(rows) + " rows, but '" + port.spec.name + "' has shape " +
                                             backend::shape_text(port.spec.shape));
  full_batches_ = true;
}

/// One compiled model for all instances, with a stream of OpenVINO's for each, at least so many.
void OvModel::share(int fewest) {
  options_.shared = true;
  const int streams = std::max(fewest, cores_ / options_.threads);
  options_.properties.emplace_back("NUM_STREAMS", std::to_string(streams));
  options_.properties.emplace_back("INFERENCE_NUM_THREADS", std::to_string(streams * options_.threads));
}

/// Gives the inputs the shapes that the configuration asks for: all of them, or any number of rows where it has a
/// batch and the file has one row.
void OvModel::fit_to(const backend::ModelConfig& config) {
  const std::vector<TensorSpec> configured = config.inputs();
  const bool batched = config.max_batch_size() > 0 && !options_.skip_batch;
  std::vector<std::vector<int64_t>> shapes;
  bool change = false;
  for (const ModelPort& input : ports_.inputs) {
    std::vector<int64_t>& shape = shapes.emplace_back(input.spec.shape);
    const TensorSpec* wanted = find(configured, input.spec.name);
    if (wanted != nullptr && (options_.reshape || !input.rank_known)) shape = wanted->shape;
    if (batched && !shape.empty()) shape[0] = -1;
    change |= shape != input.spec.shape || (wanted != nullptr && !input.rank_known);
  }
  if (!change) return;
  try {
    reshape(*model_, ports_.inputs, shapes);
  } catch (const Error& e) {
    throw Error(e.code(), std::string("its inputs can't have the shapes of the configuration: ") + e.what() +
                              (batched ? " (max_batch_size: 0, or the parameter SKIP_OV_DYNAMIC_BATCHSIZE=YES, leaves "
                                         "the first dimension as it is)"
                                       : ""));
  }
  ports_ = Ports::read(*model_);
}

void OvModel::check_ranks(const backend::ModelConfig& config) {
  for (const ModelPort& input : ports_.inputs)
    if (!input.rank_known)
      throw Error(MM_UNIMPLEMENTED, "input '" + input.spec.name +
                                        "' may have any number of dimensions; give its shape in the configuration");
  const std::vector<TensorSpec> configured = config.outputs();
  for (ModelPort& output : ports_.outputs)
    if (const TensorSpec* wanted = find(configured, output.spec.name); wanted != nullptr && !output.rank_known)
      output.spec.shape = wanted->shape;
}

Compiled OvModel::compile() const {
  Properties properties = options_.properties;
  if (!options_.shared) {
    properties.emplace_back("NUM_STREAMS", "1");
    properties.emplace_back("INFERENCE_NUM_THREADS", std::to_string(options_.threads));
  }
  return Compiled(compile_with(core_, model_.get(), options_.device, properties), Release());
}

void OvModel::compile_fixed(FixedModel& fixed) {
  const std::lock_guard lock(compiling_);
  reshape(*model_, ports_.inputs, fixed.shapes);
  fixed.ports = Ports::read(*model_);
  fixed.compiled = compile();
  std::string text;
  for (const ModelPort& input : fixed.ports.inputs)
    text += (text.empty() ? "" : ", ") + ("'" + input.spec.name + "' ") + backend::shape_text(input.spec.shape);
  backend::log(host_model_, MM_LOG_INFO, label_ + " is compiled for a shape that comes often: " + text);
}

int OvModel::instances() const {
  if (!options_.shared) return std::max(1, cores_ / options_.threads);
  char* text = nullptr;
  check(api->compiled_model_property(first_.get(), "OPTIMAL_NUMBER_OF_INFER_REQUESTS", &text));
  const int count = std::atoi(text);
  api->text_free(text);
  return std::max(1, count);
}

backend::ModelInfo OvModel::info() {
  backend::ModelInfo out;
  for (const ModelPort& port : ports_.inputs) out.inputs.push_back(port.spec);
  if (full_batches_) out.capabilities |= MM_CAP_FULL_BATCHES;
  for (const ModelPort& port : ports_.outputs) {
    out.outputs.push_back(port.spec);
    if (!port.rank_known) out.capabilities |= MM_CAP_OUTPUT_SHAPES_UNSURE;
  }
  if (full_batches_)
    for (auto* specs : {&out.inputs, &out.outputs})
      for (TensorSpec& spec : *specs) spec.shape[0] = -1;
  // One stream of one thread is the calling thread.
  if (!options_.shared && options_.threads == 1) out.capabilities |= MM_CAP_INLINE_SAFE;
  if (source_.is_saved_model()) {
    out.signature = kSavedSignature;
    out.signature_method = kSavedMethod;
  }
  out.memory_bytes = bytes_;
  out.recommended_instances = static_cast<uint32_t>(instances());
  return out;
}

std::unique_ptr<backend::Instance> OvModel::create_instance(const backend::InstanceArgs& args) {
  try {
    if (args.kind == MM_DEVICE_GPU && options_.on_cpu())
      throw Error(MM_FAILED_PRECONDITION, "an instance on a GPU needs the parameter TARGET_DEVICE=GPU");
    if (options_.shared) return make_instance(ports_, first_, {});
    const std::lock_guard lock(compiling_);
    if (compiler_ && !first_) reshape(*model_, ports_.inputs);
    Compiled compiled = first_ ? std::exchange(first_, nullptr) : compile();
    return make_instance(ports_, std::move(compiled), {compiler_.get(), compile_seconds_});
  } catch (const Error& e) {
    throw Error(e.code(), label_ + ": " + e.what());
  }
}

}  // namespace modelmill::ov
