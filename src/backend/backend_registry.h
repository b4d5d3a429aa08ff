#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "backend/backend_model.h"
#include "backend/server_functions.h"
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
  std::string precision;  // what it is to be computed in; empty: as it says itself
  int machine_gpus = 0;
  bool placed = false;  // its configuration says on what kind of device its instances run
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
    ServerFunctions server = {};
  };
  explicit BackendRegistry(Options options);
  ~BackendRegistry();

  struct Description {
    std::string name;
    std::string default_file;
    std::vector<std::string> extensions;  // ".onnx"
    // Told by find() only:
    std::string runtime;                    // with its version
    bool usable = true;                     // its runtime is there
    std::string problem = {}, remedy = {};  // of one that is not usable
    int gpu_count = -1;                     // GPUs that its instances can be put on; -1: those of the machine
    std::vector<std::string> precisions;    // lower ones than models' own that it can compute them in: "bf16"
  };
  /// The backends whose plugin can be opened, by opening all in the folders.
  std::vector<Description> available();
  /// One backend's description; NOT_FOUND names the folders that were searched. `extra_directory` (a model's folder, or
  /// empty) is searched first: a model may bring a backend of its own.
  Result<Description> find(const std::string& backend, const std::string& extra_directory = {});
  std::vector<BackendReport> report();

  /// The memory of a GPU as a backend tells it, of one that find() has told.
  struct DeviceMemory {
    uint64_t total_bytes = 0;
    uint64_t free_bytes = 0;
    std::string uuid = {};  // empty: it has none
  };
  /// nullopt: it can't tell.
  std::optional<DeviceMemory> device_memory(const std::string& backend, int device,
                                            const std::string& extra_directory = {});

  /// Loads a model. When the vendor's runtime is missing the error carries the command that installs it.
  Result<std::unique_ptr<BackendModel>> load(const std::string& backend, const BackendLoad& load,
                                             const std::string& extra_directory = {});

 private:
  struct Rep;
  std::unique_ptr<Rep> rep_;
};

}  // namespace modelmill
