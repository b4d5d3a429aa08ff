#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "backend/backend_model.h"
#include "base/mutex.h"
#include "base/result.h"
#include "runtime/metrics.h"

namespace modelmill {

/// What `modelmill doctor` tells of a backend.
struct BackendReport {
  std::string name;
  std::string version;
  std::string library;  // the plugin's file
  bool available = false;
  std::string runtime, runtime_version, runtime_path, devices;
  std::string problem, remedy;
};

/// What a model's loading needs.
struct BackendLoad {
  std::string model;
  int64_t version = 1;
  std::string directory;    // the version's folder, or empty
  std::string file;         // the model's file, or empty
  std::string config_json;  // the model's configuration (proto3 JSON of ModelConfig)
  int instance_threads = 0;
};

/// The shared libraries of backends: found by name in the plugin folders, opened once, never closed. Thread-safe.
class BackendRegistry {
 public:
  struct Options {
    /// Searched in this order for modelmill_<backend>.so and <backend>/modelmill_<backend>.so.
    std::vector<std::string> directories;
    /// Settings of each backend by its name, JSON objects.
    std::map<std::string, std::string> settings;
    MetricRegistry* metrics = nullptr;
    /// Runs another model's request for a backend's call_model. May be null: then call_model fails.
    std::function<void(InferRequestPtr)> call_model;
  };
  explicit BackendRegistry(Options options);
  ~BackendRegistry();

  struct Description {
    std::string name;
    std::string default_file;
    std::vector<std::string> extensions;  // ".onnx"
    // Told by find() only:
    std::string runtime;  // with its version
    bool usable = true;   // its runtime is there
    int gpu_count = -1;   // GPUs that its instances can be put on; -1: those of the machine
  };
  /// The backends whose plugin can be opened, by opening all in the folders.
  std::vector<Description> available();
  /// One backend's description; NOT_FOUND names the folders that were searched. `extra_directory` (a model's folder, or
  /// empty) is searched first: a model may bring a backend of its own.
  Result<Description> find(const std::string& backend, const std::string& extra_directory = {});
  std::vector<BackendReport> report();

  /// Loads a model. When the vendor's runtime is missing the error carries the command that installs it.
  Result<std::unique_ptr<BackendModel>> load(const std::string& backend, const BackendLoad& load,
                                             const std::string& extra_directory = {});

 private:
  struct Rep;
  std::unique_ptr<Rep> rep_;
};

}  // namespace modelmill
