#include "model.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <thread>

#include "json_text.h"

namespace modelmill::python {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kDefaultSharedMemoryMb = 1024;
constexpr int64_t kDefaultExecutionSeconds = 600;
constexpr int64_t kDefaultStartSeconds = 300;
constexpr int64_t kDefaultStopSeconds = 10;
constexpr int64_t kDefaultConcurrency = 64;

int64_t bounded(const backend::ModelConfig& config, const char* name, int64_t fallback, int64_t low, int64_t high) {
  const int64_t value = config.parameter_int(name, fallback);
  if (value < low || value > high)
    throw backend::Error(MM_INVALID_ARGUMENT, std::string("parameter '") + name + "' is " + std::to_string(value) +
                                                  "; it must be from " + std::to_string(low) + " to " +
                                                  std::to_string(high));
  return value;
}

/// What an archive of TorchServe's names, whose manifest is the model's file; empty when it names none.
std::string archived_requirements(const backend::ModelArgs& args) {
  std::ifstream in(args.file);
  const std::string text{std::istreambuf_iterator<char>(in), {}};
  const std::string named = backend::Json::parse(text)["model"]["requirementsFile"].text();
  if (named.empty()) return {};
  const fs::path path = fs::path(args.directory) / fs::path(named).filename();
  std::error_code error;
  if (!fs::is_regular_file(path, error))
    throw backend::Error(MM_NOT_FOUND, "'" + args.file + "' names requirementsFile '" + named +
                                           "', which is not in the archive; pack it anew with it");
  return path.string();
}

std::string requirements_of(const backend::ModelArgs& args) {
  if (fs::path(args.file).filename() == "MANIFEST.json")
    if (std::string named = archived_requirements(args); !named.empty()) return named;
  std::error_code error;
  const fs::path version = args.directory;
  // Beside the code; of a model in Triton's layout also beside its versions.
  for (const fs::path& folder :
       {version, version.filename().string().find_first_not_of("0123456789") == std::string::npos
                     ? version.parent_path()
                     : version})
    if (fs::is_regular_file(folder / "requirements.txt", error)) return (folder / "requirements.txt").string();
  // Older models of MLflow's have no other list.
  const bool of_mlflow = fs::is_regular_file(version / "MLmodel", error);
  if (of_mlflow && fs::is_regular_file(version / "conda.yaml", error)) return (version / "conda.yaml").string();
  return {};
}

/// Triton's parameter that names a model's own environment; empty: it has none.
std::string environment_path_of(const backend::ModelArgs& args) {
  constexpr std::string_view kModel = "$$TRITON_MODEL_DIRECTORY";
  std::string path = args.config.parameter("EXECUTION_ENV_PATH").value_or("");
  if (path.starts_with(kModel)) path = fs::path(args.directory).parent_path().string() + path.substr(kModel.size());
  if (!path.empty() && !path.starts_with('/'))
    throw backend::Error(MM_INVALID_ARGUMENT, "parameter 'EXECUTION_ENV_PATH' is '" + path +
                                                  "'; it must be a whole path, or begin with " + std::string(kModel));
  return path;
}

std::string wheels_of(const std::string& requirements, const std::string& configured) {
  const fs::path beside = fs::path(requirements).parent_path() / "wheels";
  std::error_code error;
  return fs::is_directory(beside, error) ? beside.string() : configured;
}

/// The environment whose torch the variable names, by its folder or a file in it; empty: none that has a Python.
std::string named_environment_of_torch() {
  const char* const variable = std::getenv("MODELMILL_PYTORCH");
  const std::string named = variable != nullptr ? variable : "";
  for (fs::path at = named; at.has_relative_path(); at = at.parent_path()) {
    std::error_code error;
    const bool is_around = at == fs::path(named) || named.starts_with((at / "lib/python3").string());
    if (is_around && fs::exists(at / "bin/python3", error)) return at.string();
  }
  return {};
}

/// What runs the workers. A model that another backend would run has no code of its own, so what lies beside it is not
/// installed for it.
Interpreter interpreter_for(const backend::ModelArgs& args, const PythonSettings& settings,
                            const std::string& package) {
  if (args.config.json()["backend"].text() == "pytorch") {
    const std::string named = named_environment_of_torch();
    return find_interpreter(named.empty() ? settings.python : named, settings.plugin_dir);
  }
  Interpreter interpreter = find_interpreter(settings.python, settings.plugin_dir);
  if (const std::string path = environment_path_of(args); !path.empty())
    interpreter = in_environment(path, interpreter, settings.cache);
  const std::string requirements = requirements_of(args);
  if (requirements.empty() || has_requirements(interpreter, requirements, package)) return interpreter;
  backend::log(args.host_model, MM_LOG_INFO, "its Python environment is made as '" + requirements + "' says");
  return with_requirements(interpreter, requirements, wheels_of(requirements, settings.wheels), settings.cache,
                           package);
}

std::string device_name(int64_t gpu) { return "cuda:" + std::to_string(gpu); }

/// Where the configuration's instances are, in the host's order; one at least.
std::vector<std::string> places_of(const backend::ModelConfig& config) {
  std::vector<std::string> out;
  for (const backend::Json& group : config.json()["instance_group"].items()) {
    std::vector<std::string> devices;
    if (group["kind"].text() == "KIND_GPU")
      for (const backend::Json& gpu : group["gpus"].items()) devices.push_back(device_name(gpu.integer()));
    if (devices.empty()) devices.emplace_back("cpu");
    const auto count = static_cast<size_t>(std::max<int64_t>(group["count"].integer(0), 1));
    for (const std::string& device : devices) out.insert(out.end(), count, device);
  }
  if (out.empty()) out.emplace_back("cpu");
  return out;
}

std::map<std::string, std::string> environment_of(const backend::ModelArgs& args, int64_t workers) {
  std::map<std::string, std::string> out = {{"PYTHONUNBUFFERED", "1"}};
  const auto cores = static_cast<int64_t>(std::max(1u, std::thread::hardware_concurrency()));
  const int64_t threads = args.instance_threads > 0 ? args.instance_threads
                          : workers > 1             ? std::max<int64_t>(cores / workers, 1)
                                                    : 0;
  for (const char* name : {"OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"})
    if (threads > 0 && std::getenv(name) == nullptr) out[name] = std::to_string(threads);
  return out;
}

/// Members of the worker's first message.
std::string hello_of(const backend::ModelArgs& args, int64_t shared_memory) {
  return "\"model\":" + json_quoted(args.name) + ",\"version\":" + std::to_string(args.version) +
         ",\"directory\":" + json_quoted(args.directory) + ",\"file\":" + json_quoted(args.file) +
         ",\"parent\":" + std::to_string(::getpid()) + ",\"memory_limit\":" + std::to_string(shared_memory) +
         ",\"gpus\":" + std::to_string(args.machine_gpus) + ",\"placed\":" + (args.placed ? "true" : "false") +
         ",\"config\":" + json_text(args.config.json());
}

/// A seat in the pool as the host sees it.
class Seat final : public backend::Instance {
 public:
  Seat(Pool& pool, size_t number) : pool_(pool), number_(number) {}
  ~Seat() override { pool_.remove(number_); }
  void execute(backend::Execution& execution) override { pool_.run(number_, execution); }

 private:
  Pool& pool_;
  const size_t number_;
};

class AllSeats final : public backend::Instance {
 public:
  explicit AllSeats(Pool& pool) : pool_(pool) {}
  void execute(backend::Execution& execution) override { pool_.begin(execution); }

 private:
  Pool& pool_;
};

}  // namespace

PythonModel::PythonModel(const backend::ModelArgs& args, const PythonSettings& settings) {
  const std::string package = find_package(settings.package, settings.plugin_dir);
  const Interpreter interpreter = interpreter_for(args, settings, package);
  if (interpreter.numpy.empty())
    throw backend::Error(MM_FAILED_PRECONDITION, "'" + interpreter.path + "' has no numpy, which Python models need; " +
                                                     interpreter.path + " -m pip install numpy");
  const backend::ModelConfig& config = args.config;
  workers_ = bounded(config, "workers", 0, 0, 1024);
  concurrency_ = bounded(config, "concurrency", kDefaultConcurrency, 1, 4096);
  places_ = places_of(config);
  auto made = std::make_shared<WorkerSettings>();
  made->host_model = args.host_model;
  made->model = args.name;
  made->shared_memory = static_cast<uint64_t>(bounded(config, "shared_memory_mb", kDefaultSharedMemoryMb, 1, 1 << 20))
                        << 20;
  if (config.parameter("memory_limit_mb"))
    made->memory_limit = static_cast<uint64_t>(bounded(config, "memory_limit_mb", 0, 0, 1 << 24)) << 20;
  made->execution_limit =
      std::chrono::seconds(bounded(config, "execution_timeout_s", kDefaultExecutionSeconds, 0, 1 << 24));
  made->start_limit = std::chrono::seconds(bounded(config, "start_timeout_s", kDefaultStartSeconds, 1, 1 << 24));
  made->stop_limit = std::chrono::seconds(bounded(config, "stop_timeout_s", kDefaultStopSeconds, 1, 3600));
  made->process.command = {interpreter.path, package + "/worker/__main__.py"};
  made->process.environment = environment_of(args, std::max(workers_, static_cast<int64_t>(places_.size())));
  made->hello = hello_of(args, static_cast<int64_t>(made->shared_memory));
  settings_ = made;
  pool_ = std::make_unique<Pool>(settings_);
  pool_->add(places_.front());
}

backend::ModelInfo PythonModel::info() {
  const ModelShape& shape = pool_->shape();
  backend::ModelInfo out;
  out.inputs = shape.inputs;
  out.outputs = shape.outputs;
  out.capabilities = shape.trials ? 0 : MM_CAP_NO_TRIALS;
  if (shape.stateful) out.capabilities |= MM_CAP_STATEFUL;
  if (shape.decoupled) out.capabilities |= MM_CAP_DECOUPLED;
  if (shape.concurrent) out.capabilities |= MM_CAP_CONCURRENT_EXECUTE;
  if (shape.ragged) out.capabilities |= MM_CAP_RAGGED;
  if (shape.shapes_unsure) out.capabilities |= MM_CAP_OUTPUT_SHAPES_UNSURE;
  out.batching = shape.max_batch_size > 0 ? MM_BATCHING_ROWS : shape.trials ? MM_BATCHING_UNKNOWN : MM_BATCHING_NONE;
  out.max_batch_size = shape.max_batch_size;
  out.platform = shape.platform;
  if (workers_ == 0) workers_ = shape.workers;
  const auto places = static_cast<int64_t>(places_.size());
  if (shape.concurrent && places > 1) workers_ = places;  // else the host makes so many instances
  const int64_t workers = std::max<int64_t>(workers_, 1);
  out.recommended_instances = static_cast<uint32_t>(workers);
  out.concurrency = static_cast<uint32_t>(concurrency_ * workers);
  return out;
}

/// The first instance gets the worker that told what the model is, if it is where the instance should be.
size_t PythonModel::take_seat(const std::string& device) {
  if (std::exchange(first_taken_, true)) {
    if (pool_->shape().stateful)
      throw backend::Error(
          MM_FAILED_PRECONDITION,
          "it keeps state, and each of several instances would be a process with a state of its own; it "
          "can have one instance only: set 'instances' (the count of instance_group) to 1");
    return pool_->add(device);
  }
  if (device == places_.front()) return 0;
  const size_t seat = pool_->add(device);
  pool_->remove(0);
  return seat;
}

std::unique_ptr<backend::Instance> PythonModel::create_instance(const backend::InstanceArgs& args) {
  const std::string device = args.kind == MM_DEVICE_GPU ? device_name(args.device_id) : "cpu";
  const size_t seat = take_seat(device);
  if (!pool_->shape().concurrent) return std::make_unique<Seat>(*pool_, seat);
  for (size_t i = 1; i < static_cast<size_t>(std::max<int64_t>(workers_, 1)); ++i)
    pool_->add(places_.size() > 1 ? places_[i] : device);
  return std::make_unique<AllSeats>(*pool_);
}

}  // namespace modelmill::python
