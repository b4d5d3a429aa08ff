#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/status.h"
#include "lifecycle/load_tries.h"
#include "model/device_budgets.h"
#include "model/tf_serving_config.h"
#include "storage/remote_source.h"

namespace modelmill {

/// Who decides that a model comes, changes or goes while the server runs.
enum class ControlMode {
  kAuto,      // the files, for plain files and our own layout; else clients
  kNone,      // nobody
  kPoll,      // the files, looked at regularly
  kWatch,     // the files, as soon as they have changed
  kExplicit,  // clients; only what is named is loaded at the start
};

/// Where models are.
struct ModelSources {
  /// Model files, model folders, or folders of models; see find_models().
  std::vector<std::string> paths;
  /// Models that have a configs/NAME.pbtxt are configured by that.
  std::string config_name = {};
  /// TF Serving's model_config_file and batching_parameters_file; empty: none.
  std::string model_config_file = {};
  std::string batching_parameters_file = {};
  /// The list that a client sent, in the place of paths and of the model_config_file; null: none did.
  std::shared_ptr<const TfServingConfig> listed = {};
  /// Models of that list that are in none of these folders are the client's own: see FoundModel::untrusted.
  std::set<std::string> trusted = {};
  /// What models have as parameters, by name, unless their files say another thing.
  std::map<std::string, std::string> parameters = {};
  /// Models are batched as a batching_params.pbtxt in the folder of their newest version says, and not as
  /// batching_parameters_file says of all.
  bool own_batching = false;
};

/// How models come and go.
struct ControlSettings {
  ControlMode mode = ControlMode::kAuto;
  /// kExplicit: what is loaded at the start; "*" is all.
  std::vector<std::string> load_models;
  /// kPoll: between two looks.
  Duration poll_interval = std::chrono::seconds(15);
  /// Changed files are taken when they have been still for so long.
  Duration settle = std::chrono::seconds(1);
  /// Models load when the first request for them comes.
  bool on_demand = false;
  /// Of memory that models may take together; beyond it those not used for longest are put away, until they are asked
  /// again. 0: no bound.
  uint64_t memory_budget = 0;
  /// The same of each GPU's memory.
  DeviceBudgets device_budgets;
  /// Loads that fail are tried again; and whether the start of the server waits for that.
  LoadRetries retries;
  bool start_awaits_retries = false;
  /// New versions may break clients of the ones before.
  bool allow_breaking = false;
  /// How models that are elsewhere are brought here.
  RemoteOptions remote;
  /// After a version has gone: gives memory back to the system. May be null.
  std::function<void()> after_unload;
};

}  // namespace modelmill
