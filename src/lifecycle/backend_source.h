#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "backend/backend_registry.h"
#include "repository/model_format.h"

namespace modelmill {

/// Where the control plane gets backends from: the registry's calls, so that loading can be tested without
/// plugins. The functions are thread-safe and outlive the controller.
struct BackendSource {
  std::function<std::vector<BackendRegistry::Description>()> available;
  std::function<Result<BackendRegistry::Description>(const std::string& backend, const std::string& extra_directory)>
      find;
  std::function<Result<std::unique_ptr<BackendModel>>(const std::string& backend, const BackendLoad& load,
                                                      const std::string& extra_directory)>
      load;
  /// Null: none can tell.
  std::function<std::optional<BackendRegistry::DeviceMemory>(const std::string& backend, int device,
                                                             const std::string& extra_directory)>
      device_memory = {};
};

/// The files that a backend takes.
ModelFormat format_of(const BackendRegistry::Description& description);
/// The formats of the backends that can be opened.
std::vector<ModelFormat> formats_of(const BackendSource& backends);

}  // namespace modelmill
