#include "lifecycle/sent_model.h"

#include <google/protobuf/text_format.h>
#include <google/protobuf/util/json_util.h>
#include <stdlib.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <system_error>
#include <utility>

#include "lifecycle/code_trust.h"
#include "lifecycle/key_digest.h"
#include "model/triton_config.h"
#include "repository/model_files.h"

namespace modelmill {
namespace {

namespace fs = std::filesystem;

/// The message that a JSON text says; whether it says max_batch_size.
Result<inference::ModelConfig> parse_config(const std::string& model, const std::string& json) {
  inference::ModelConfig config;
  const auto status = google::protobuf::util::JsonStringToMessage(json, &config);
  if (!status.ok())
    return invalid_argument("the configuration sent for model '" + model +
                            "' is no ModelConfig as JSON: " + std::string(status.message()));
  if (!config.name().empty() && config.name() != model)
    return invalid_argument("the configuration sent for model '" + model + "' is that of '" + config.name() + "'");
  return config;
}

bool says_max_batch_size(const std::string& json) {
  return json.find("\"max_batch_size\"") != std::string::npos || json.find("\"maxBatchSize\"") != std::string::npos;
}

Status write_file(const std::string& folder, const std::string& name, const std::string& content) {
  MM_ASSIGN_OR_RETURN(const std::string path, path_inside(folder, name));
  std::error_code error;
  fs::create_directories(fs::path(path).parent_path(), error);
  std::ofstream out(path, std::ios::binary);
  out << content;
  out.close();
  if (!out)
    return unavailable("the file '" + name + "' that was sent can't be written to '" + path +
                       "': " + std::strerror(errno));
  return ok_status();
}

}  // namespace

Result<std::shared_ptr<OwnFolder>> OwnFolder::make() {
  std::error_code error;
  std::string pattern = (fs::temp_directory_path(error) / "modelmill-sent-XXXXXX").string();
  if (::mkdtemp(pattern.data()) == nullptr)
    return unavailable("no folder can be made for a model that was sent, '" + pattern + "': " + std::strerror(errno));
  return std::shared_ptr<OwnFolder>(new OwnFolder(std::move(pattern)));
}

OwnFolder::~OwnFolder() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

Result<SeenModel> unpack_sent_model(const ModelLoad& load, std::span<const ModelFormat> formats,
                                    std::shared_ptr<OwnFolder>& folder) {
  if (load.config_json.empty())
    return invalid_argument("load of model '" + load.model + "': files are sent, so 'config' must be sent too");
  MM_RETURN_IF_ERROR(check_model_name(load.model));
  MM_ASSIGN_OR_RETURN(folder, OwnFolder::make());
  const std::string directory = folder->path() + '/' + load.model;
  for (const auto& [name, content] : load.files) {
    if (name.ends_with(".pt2") || holds_native_code(content))
      return Status(Code::kPermissionDenied, "load of model '" + load.model + "': the file '" + name +
                                                 "' is native code, which is not taken from clients; put the model "
                                                 "where the server looks for models");
    MM_RETURN_IF_ERROR(write_file(directory, name, content));
  }
  // What looks like a model's folder by its configuration needs one there; the one that was sent is put in its place.
  MM_RETURN_IF_ERROR(write_file(directory, "config.pbtxt", ""));
  const auto bounds = [&directory](const auto&) { return std::string(directory); };
  MM_ASSIGN_OR_RETURN(FoundModels found, find_models({directory}, formats, {.bounds = bounds}));
  FoundModel& model = found.models.front();
  model.untrusted = true;
  SeenModel seen = look_at(std::move(model));
  MM_RETURN_IF_ERROR(seen.problem);
  return seen;
}

Status put_configuration(SeenModel& seen, const std::string& config_json) {
  const std::string name = seen.name();
  MM_ASSIGN_OR_RETURN(const inference::ModelConfig config, parse_config(name, config_json));
  MM_ASSIGN_OR_RETURN(ModelDefinition definition,
                      definition_from_triton_config(config, says_max_batch_size(config_json)));
  definition.name = name;
  seen.definition = std::move(definition);
  const VersionChoice choice = choose_versions(seen.definition.version_policy, seen.found.versions);
  if (choice.versions.empty())
    return invalid_argument("load of model '" + name +
                            "': the version policy that was sent picks none of its versions");
  seen.wanted.clear();
  seen.places.clear();
  for (const FoundVersion& version : choice.versions) {
    MM_ASSIGN_OR_RETURN(std::string stamp, version_stamp(seen.found, version, seen.definition));
    KeyDigest digest;
    digest.add(stamp);
    digest.add(config_json);
    seen.wanted.push_back({version.version, digest.hex()});
    seen.places.emplace(version.version, version);
  }
  return ok_status();
}

}  // namespace modelmill
