#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "backend/backend_model.h"
#include "base/clock.h"
#include "base/result.h"
#include "lifecycle/load_settings.h"
#include "model/definition.h"
#include "model/signature.h"

namespace modelmill {

/// An entry point of a version that is being loaded, and has its instances.
struct LoadingEntry {
  const ModelDefinition& definition;
  const Signature& signature;
  BackendModel& model;
  int64_t version;
  std::string file;       // of the version
  std::string directory;  // of the model
  bool batched;           // there is a batch dimension
  int64_t max_rows;
};

/// What came of it.
struct WarmupOutcome {
  /// The size of open dimensions that made-up inputs work with; nullopt: none was needed, or none worked.
  std::optional<int64_t> open_size;
  /// The requests that the model brings with it took this long, reading included; nullopt: it brings none.
  std::optional<Duration> own;
};

/// Runs every instance before the first request comes: with what the configuration gives, else with what the model
/// brings along, else with made-up rows, of `open_size` if that is known. As the settings say, not at all.
/// `check_wanted` ends it with an error.
Result<WarmupOutcome> warm_up_entry(const LoadingEntry& entry, const LoadSettings& settings,
                                    std::span<const std::unique_ptr<BackendInstance>> instances,
                                    std::optional<int64_t> open_size, const std::function<Status()>& check_wanted);

}  // namespace modelmill
