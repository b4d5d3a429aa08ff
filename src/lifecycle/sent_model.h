#pragma once

#include <map>
#include <memory>
#include <string>

#include "base/result.h"
#include "catalog/model_control.h"
#include "lifecycle/repository_look.h"

namespace modelmill {

/// A folder of this process alone that goes with the object.
class OwnFolder {
 public:
  /// Below the system's temporary folder.
  static Result<std::shared_ptr<OwnFolder>> make();
  ~OwnFolder();
  OwnFolder(const OwnFolder&) = delete;
  OwnFolder& operator=(const OwnFolder&) = delete;
  const std::string& path() const { return path_; }

 private:
  explicit OwnFolder(std::string path) : path_(std::move(path)) {}
  const std::string path_;
};

/// Writes the files that a client sent, and its configuration, as a model's folder, and looks at it. The folder stays
/// until `folder` goes. INVALID_ARGUMENT for files without a configuration, or with names that leave the model's
/// folder, PERMISSION_DENIED for native code (packages of AOTInductor); what is executable by being there (plugins) is
/// not found in it.
Result<SeenModel> unpack_sent_model(const ModelLoad& load, std::span<const ModelFormat> formats,
                                    std::shared_ptr<OwnFolder>& folder);

/// Puts the configuration that a client sent in the place of the model's own.
Status put_configuration(SeenModel& seen, const std::string& config_json);

}  // namespace modelmill
