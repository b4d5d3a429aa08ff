#include "server/torchserve_snapshots.h"

#include <algorithm>
#include <chrono>
#include <ctime>
#include <filesystem>
#include <system_error>
#include <utility>

#include "base/json_text.h"
#include "base/log.h"
#include "base/private_file.h"
#include "dialect/torchserve/write_seconds.h"

namespace modelmill {
namespace {

namespace fs = std::filesystem;

int64_t unix_ms() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::milliseconds>(now).count();
}

/// "20240101123000123" of the local time, as Java's SimpleDateFormat writes it.
std::string time_text(int64_t ms) {
  const auto seconds = static_cast<std::time_t>(ms / 1000);
  std::tm local{};
  ::localtime_r(&seconds, &local);
  char text[sizeof "yyyyMMddHHmmss"];
  const size_t size = std::strftime(text, sizeof text, "%Y%m%d%H%M%S", &local);
  const std::string fraction = std::to_string(ms % 1000);
  return std::string(text, size) + std::string(3 - fraction.size(), '0') + fraction;
}

/// As its archive has it.
std::string text_of_version(const RegisteredVersion& version) {
  for (const auto& [label, number] : version.definition->labels)
    if (number == version.version && label.find_first_not_of("0123456789.") == std::string::npos) return label;
  return std::to_string(version.version);
}

void write_version(JsonWriter& json, const RegisteredVersion& version) {
  const ModelDefinition& definition = *version.definition;
  const auto delay = std::chrono::duration_cast<std::chrono::milliseconds>(definition.batching.max_queue_delay);
  json.begin_object().field("defaultVersion", version.is_default).field("marName", version.file);
  json.field("minWorkers", version.instances.min).field("maxWorkers", version.instances.max);
  json.field("batchSize", std::max<int64_t>(definition.max_batch_size.value_or(1), 1));
  json.field("maxBatchDelay", int64_t{delay.count()});
  torchserve::write_seconds(json, "responseTimeout", definition, "execution_timeout_s");
  torchserve::write_seconds(json, "startupTimeout", definition, "start_timeout_s");
  json.field("runtimeType", "python").end_object();
}

}  // namespace

std::string TorchserveSnapshots::models_json(const std::string& name) const {
  JsonWriter models, urls;
  std::string open;  // the model whose versions are being written
  int64_t count = 0;
  models.begin_object();
  urls.begin_array();
  for (const RegisteredVersion& version : registered_()) {
    std::error_code error;
    if (!version.url.empty()) {
      urls.value(version.model + "=" + version.url);
      continue;
    }
    if (!fs::exists(fs::path(config_.model_store) / version.file, error)) continue;
    if (version.model != open) {
      if (!open.empty()) models.end_object();
      models.key(version.model).begin_object();
      open = version.model;
    }
    models.key(text_of_version(version));
    write_version(models, version);
    ++count;
  }
  if (!open.empty()) models.end_object();
  models.end_object();
  urls.end_array();
  JsonWriter json;
  json.begin_object().field("name", name).field("modelCount", count).field("created", unix_ms());
  json.key("models").raw(models.text()).key("urls").raw(urls.text()).end_object();
  return json.take();
}

void TorchserveSnapshots::save(std::string_view kind) {
  started_ = true;
  const MutexLock lock(mutex_);
  Status status = make_private_folder(config_.folder);
  std::error_code error;
  int64_t ms = unix_ms();
  std::string name = time_text(ms) + "-" + std::string(kind) + ".cfg";
  while (status.ok() && fs::exists(fs::path(config_.folder) / name, error))
    name = time_text(++ms) + "-" + std::string(kind) + ".cfg";
  const std::string file = config_.folder + "/" + name;
  if (status.ok()) {
    Properties properties = config_.properties;
    properties["model_snapshot"] = models_json(name);
    // It may have what the environment said in secret. TorchServe takes whatever is in the folder for a snapshot.
    const std::string part = config_.folder + ".part";
    status = write_private_file(part, "#Saving snapshot\n" + properties_text(properties));
    if (status.ok()) fs::rename(part, file, error);
    if (status.ok() && error) status = unavailable(error.message());
  }
  if (!status.ok()) Log::error("the snapshot is not written", {{"file", file}, {"reason", status.message()}});
}

ModelControl::Done SnapshottingControl::saving(Done done) {
  return [this, inner = std::move(done)](const Status& status) {
    if (status.ok()) snapshots_.save_change();
    inner(status);
  };
}

void SnapshottingControl::add(ModelAddition addition, Added done) {
  inner_.add(std::move(addition), [this, inner = std::move(done)](Result<AddedModel> added) {
    if (added.ok()) snapshots_.save_change();
    inner(std::move(added));
  });
}

}  // namespace modelmill
