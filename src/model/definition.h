#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "model/ensemble_definition.h"
#include "model/execution_resources.h"
#include "model/signature.h"

namespace modelmill {

/// Copies of a model that may run at the same time, and where.
struct InstanceGroup {
  enum class Kind { kAuto, kGpu, kCpu, kModel };
  std::string name;
  Kind kind = Kind::kAuto;
  /// 0: chosen from the cores and what the backend recommends.
  int count = 0;
  /// Device ids, for kGpu.
  std::vector<int> gpus;
  /// What each of its executions takes of the server's resources, and how many executions of another's one of its own
  /// counts for; 0 is 1.
  std::vector<ResourceNeed> resources = {};
  uint32_t resource_priority = 0;
};

/// What happens to a request that waits too long, and how many may wait. Triton's ModelQueuePolicy.
struct QueuePolicy {
  enum class TimeoutAction { kReject, kDelay };
  TimeoutAction timeout_action = TimeoutAction::kReject;
  /// 0: no time limit of the queue's own.
  std::chrono::microseconds default_timeout{0};
  bool allow_timeout_override = false;
  /// In requests; 0: the server's default bound.
  int64_t max_queue_size = 0;
};

/// Whether and how requests that arrive together run together.
struct BatchingDefinition {
  enum class Mode {
    kAuto,      // decide at load by the signature and a probe
    kDynamic,   // the model's author asked for dynamic_batching
    kDisabled,  // one request an execution
  };
  Mode mode = Mode::kAuto;
  /// Rows of one execution, at most. 0 in kAuto: chosen by the server.
  int64_t max_batch_size = 0;
  std::vector<int64_t> preferred_sizes;
  /// Sizes that batches are filled up to, ascending; the last is max_batch_size. Empty: none are.
  std::vector<int64_t> allowed_sizes;
  std::chrono::microseconds max_queue_delay{0};
  bool preserve_ordering = false;
  /// The p99 of a request's time in the server that is to be held; 0: none.
  std::chrono::microseconds objective_p99{0};
  /// Of every level of priority that has none of its own.
  QueuePolicy queue;
  /// Levels of priority, of which 1 is served first. 0: requests have none.
  uint64_t priority_levels = 0;
  /// Of requests that name no level, or one that there is not.
  uint64_t default_priority_level = 0;
  std::map<uint64_t, QueuePolicy> queue_by_level;
};

/// Bounds between which the number of a model's instances follows its load; nullopt where nobody said.
struct InstanceRange {
  std::optional<int> min;
  std::optional<int> max;
  /// Idle for so long, it has none; 0: nobody said.
  std::chrono::microseconds zero_after{0};
};

/// Requests that are written down together with their answers.
struct RequestLogging {
  /// What the names of its files begin with.
  std::string file_prefix;
  /// The share of the requests, above 0 and at most 1.
  double sampling_rate = 1;

  bool operator==(const RequestLogging&) const = default;
};

/// Names of versions for clients: "stable" is 3.
using VersionLabels = std::map<std::string, int64_t>;

/// How a version takes the place of another.
enum class SwapPolicy {
  kAvailability,  // the new one serves before the old one goes: for a while both are in memory
  kResource,      // the old one goes first: for a while there is none
};

struct VersionPolicy {
  enum class Kind { kLatest, kAll, kSpecific };
  Kind kind = Kind::kLatest;
  int64_t latest = 1;
  std::vector<int64_t> specific;
};

/// One input or output as the configuration declares it (Triton's ModelInput and ModelOutput).
struct ConfiguredTensor {
  std::string name;
  DataType dtype = DataType::kInvalid;
  /// Without the batch dimension when the model's max_batch_size is above 0.
  Shape dims;
  bool optional = false;
  /// Requests whose shapes differ here may share an execution; needs a ragged backend.
  bool allow_ragged = false;
  /// Set when the runtime's shape differs from what clients send (`reshape`); without the batch dimension too.
  std::optional<Shape> reshape;
  /// Outputs: a file in the model's folder with one class name a line.
  std::string label_filename;
};

/// What the configuration says of a model, completed with what its loading found: the one description that every layout
/// is translated into and that the data plane obeys. A value; immutable once its version is published.
struct ModelDefinition {
  std::string name;
  std::string platform;
  std::string backend;
  /// The file inside a version's folder; empty: the backend's usual name.
  std::string default_model_filename;
  /// As configured: nullopt when the configuration does not say (then it is decided at load), 0 means no batch
  /// dimension. Once loaded it is always there.
  std::optional<int64_t> max_batch_size;
  std::vector<ConfiguredTensor> inputs;
  std::vector<ConfiguredTensor> outputs;
  std::vector<InstanceGroup> instance_groups;
  BatchingDefinition batching;
  VersionPolicy version_policy;
  VersionLabels labels;
  /// The version of requests that name none; nullopt: the newest that serves.
  std::optional<int64_t> default_version;
  SwapPolicy swap = SwapPolicy::kAvailability;
  /// A version may take the place of one whose inputs and outputs differ from its own.
  bool allow_breaking = false;
  /// It is not put away to make room for others.
  bool pinned = false;
  InstanceRange instance_range;
  /// Threads inside each instance; 0: chosen.
  int instance_threads = 0;
  bool decoupled = false;
  /// The configuration speaks of decoupled at all; without that the backend's own word counts.
  bool decoupled_given = false;
  /// Its answers may be kept, and given again to who asks the same, where the server has a cache.
  bool response_cache = false;
  /// Free-form, handed to the backend (Triton's `parameters`).
  std::map<std::string, std::string> parameters;
  std::map<std::string, std::string> metric_tags;
  /// Bounds of the histogram of first responses, in milliseconds, ascending; empty: the usual ones.
  std::vector<double> first_response_bounds_ms;
  /// Each takes its own share of the requests.
  std::vector<RequestLogging> request_logs;
  /// Set for a model that is made of others.
  std::optional<EnsembleDefinition> ensemble;
  /// What was configured as a serialised inference.ModelConfig, when something was: fields that this server only passes
  /// on (the config endpoint returns them) live here and nowhere else.
  std::string triton_config;
  /// Why the model is served unbatched although nobody asked for that; empty when it is batched or was told.
  std::string unbatched_reason;
};

}  // namespace modelmill
