#include "dialect/torchserve/management.h"

#include <algorithm>
#include <limits>
#include <utility>
#include <vector>

#include "base/json_text.h"
#include "dialect/torchserve/model_version.h"
#include "dialect/torchserve/write_seconds.h"

namespace modelmill::torchserve {
namespace {

constexpr int64_t kMostListed = 100;
/// The parameters that they are.
constexpr const char* kResponseTimeout = "execution_timeout_s";
constexpr const char* kStartupTimeout = "start_timeout_s";

Management::Outcome failed(const Status& status) { return {.failure = failure_of(status)}; }

/// Of a model's registration, whose words for what is not there or not allowed are those of a model.
Management::Outcome not_registered(const Status& status) {
  Failure failure = failure_of(status);
  if (status.code() == Code::kPermissionDenied) failure = {404, "ModelNotFoundException", status.message()};
  if (status.code() == Code::kInvalidArgument) failure = {400, "InvalidModelException", status.message()};
  return {.failure = std::move(failure)};
}

Management::Outcome said(std::string text, int status = 200) { return {.status = status, .text = std::move(text)}; }

std::string quoted(const std::string& model) { return "\"" + model + "\""; }

void write_workers(JsonWriter& json, const ModelVersion& version, const Explanation& explanation, bool available) {
  json.key("workers").begin_array();
  for (size_t i = 0; i < explanation.places.size() && !version.suspended(); ++i) {
    const bool on_gpu = explanation.places[i].starts_with("gpu");
    json.begin_object().field("id", std::to_string(i)).field("status", available ? "READY" : "UNLOADING");
    json.field("gpu", on_gpu).field("gpuUsage", on_gpu ? explanation.places[i] : std::string("N/A")).end_object();
  }
  json.end_array();
}

int64_t queue_of(const ModelDefinition& definition) {
  constexpr int64_t kUsual = 16'384;
  return definition.batching.queue.max_queue_size > 0 ? definition.batching.queue.max_queue_size : kUsual;
}

void write_version(JsonWriter& json, const ModelEntry& entry, const ModelVersion& version, const ServedPlace& place) {
  const Explanation explanation = version.explain();
  const ModelDefinition& definition = version.definition();
  const auto delay = std::chrono::duration_cast<std::chrono::milliseconds>(definition.batching.max_queue_delay);
  json.begin_object().field("modelName", entry.name).field("modelVersion", version_text(entry, version.version()));
  json.field("modelUrl", place.file).field("engine", definition.backend);
  json.field("runtime", definition.backend == "python" ? "python" : "native");
  json.field("minWorkers", place.instances.min).field("maxWorkers", place.instances.max);
  json.field("batchSize", std::max<int64_t>(explanation.max_rows, 1)).field("maxBatchDelay", int64_t{delay.count()});
  write_seconds(json, "responseTimeout", definition, kResponseTimeout);
  write_seconds(json, "startupTimeout", definition, kStartupTimeout);
  const bool on_gpu = std::any_of(explanation.places.begin(), explanation.places.end(),
                                  [](const std::string& where) { return where.starts_with("gpu"); });
  json.field("deviceType", on_gpu ? "gpu" : "cpu");
  const bool available = version.suspended() || version.availability().ok();
  json.field("status", available ? "Healthy" : "Unhealthy");
  write_workers(json, version, explanation, available);
  json.key("jobQueueStatus").begin_object();
  json.field("remainingCapacity", std::max<int64_t>(queue_of(definition) - explanation.pending, 0));
  json.field("pendingRequests", explanation.pending).end_object().end_object();
}

}  // namespace

std::string Management::list(int64_t limit, int64_t page) const {
  const auto table = catalog_.table();
  std::vector<const ModelEntry*> served;
  for (const ModelEntry* entry : table->entries())
    if (!entry->versions.empty()) served.push_back(entry);
  const size_t count = limit < 1 || limit > kMostListed ? kMostListed : static_cast<size_t>(limit);
  const size_t first = std::min(page < 0 ? 0 : static_cast<size_t>(page), served.size());
  const size_t last = std::min(first + count, served.size());
  JsonWriter json;
  json.begin_object();
  if (last < served.size()) json.field("nextPageToken", std::to_string(last));
  json.key("models").begin_array();
  for (size_t i = first; i < last; ++i) {
    const auto place = control_.place(served[i]->name, (*served[i]->find(0))->version());
    json.begin_object().field("modelName", served[i]->name);
    json.field("modelUrl", place.ok() ? place->file : served[i]->name).end_object();
  }
  json.end_array().end_object();
  return json.take();
}

Result<std::string> Management::describe(const std::string& model, std::string_view version) const {
  const auto entry = catalog_.table()->share(model);
  if (!entry || entry->versions.empty()) return model_not_found(model);
  std::vector<std::shared_ptr<ModelVersion>> versions = entry->versions;
  if (version != "all") {
    int64_t number = 0;
    if (!version.empty()) {
      MM_ASSIGN_OR_RETURN(number, version_of_text(catalog_, model, version));
    }
    const auto* found = entry->find(number);
    if (found == nullptr) return version_not_found(model, version);
    versions = {*found};
  }
  JsonWriter json;
  json.begin_array();
  for (const auto& one : versions) {
    const VersionPin pin(one);
    if (!pin) continue;
    const auto place = control_.place(model, one->version());
    write_version(json, *entry, *one, place.ok() ? *place : ServedPlace{model, one->instance_limits()});
  }
  json.end_array();
  return json.take();
}

void Management::register_model(const Registration& registration, Done done) const {
  if (registration.url.empty()) return done(failed(invalid_argument("Parameter url is required.")));
  const int64_t wanted = registration.initial_workers.value_or(-1);
  const int64_t initial = wanted >= 0 ? wanted : usual_workers_.value_or(-1);
  if (registration.batch_size.value_or(1) > std::numeric_limits<int32_t>::max() || initial > 1024)
    return done(failed(invalid_argument("batch_size and initial_workers are numbers of rows and of instances")));
  ModelAddition addition{registration.url, registration.model_name};
  addition.batch_size = registration.batch_size;
  if (registration.max_batch_delay_ms)
    addition.batch_delay = std::chrono::milliseconds(*registration.max_batch_delay_ms);
  const auto limit = [&addition](const char* parameter, const std::optional<int64_t>& seconds) {
    if (seconds.value_or(0) > 0) addition.parameters[parameter] = std::to_string(*seconds);
  };
  limit(kResponseTimeout, registration.response_timeout_s);
  limit(kStartupTimeout, registration.startup_timeout_s);
  const auto workers = static_cast<int>(initial);
  const bool waits = registration.synchronous || workers <= 0;
  if (!waits) done(said("Processing worker updates...", 202));
  const Done finish = waits ? std::move(done) : [](const Outcome&) {};
  control_.add(std::move(addition), [self = *this, workers, finish](Result<AddedModel> added) {
    if (!added.ok()) return finish(not_registered(added.status()));
    self.give_workers(*added, workers, finish);
  });
}

/// What its archive says of workers counts more than a registration, as there.
void Management::give_workers(const AddedModel& added, int workers, const Done& done) const {
  const auto entry = catalog_.table()->share(added.model);
  const auto* served = entry ? entry->find(added.version) : nullptr;
  const int own = served == nullptr ? 0 : (*served)->definition().instance_range.min.value_or(0);
  const std::string version = entry ? version_text(*entry, added.version) : std::to_string(added.version);
  std::string what = "Model " + quoted(added.model) + " Version: " + version + " registered with " +
                     std::to_string(own > 0 ? own : std::max(workers, 0)) + " initial workers";
  if (own > 0) return done(said(what));
  if (workers <= 0) what += ". Use scale workers API to add workers for the model.";
  if (workers < 0) return done(said(what));
  control_.scale({added.model, added.version, workers, workers}, [what, done](const Status& status) {
    done(status.ok() || status.code() == Code::kFailedPrecondition ? said(what) : failed(status));
  });
}

void Management::scale(const WorkerScaling& scaling, Done done) const {
  if (scaling.max < scaling.min) return done(failed(invalid_argument("max_worker cannot be less than min_worker.")));
  if (scaling.max > std::numeric_limits<int>::max()) return done(failed(invalid_argument("max_worker is too large")));
  InstanceRequest request{scaling.model, 0, static_cast<int>(std::max<int64_t>(scaling.min, 0)),
                          static_cast<int>(std::max<int64_t>(scaling.max, 0))};
  const auto pin = pin_model(catalog_, scaling.model, scaling.version);
  if (!pin.ok()) return done(failed(pin.status()));
  request.version = (*pin)->version();
  std::string text = "Workers scaled to " + std::to_string(scaling.min) + " for model: " + scaling.model;
  if (!scaling.version.empty()) text += ", version: " + scaling.version;
  if (!scaling.synchronous) done(said("Processing worker updates...", 202));
  const Done finish = scaling.synchronous ? std::move(done) : [](const Outcome&) {};
  control_.scale(std::move(request),
                 [text, finish](const Status& status) { finish(status.ok() ? said(text) : failed(status)); });
}

void Management::unregister(const std::string& model, const std::string& version, Done done) const {
  const auto pin = pin_model(catalog_, model, version);
  const auto entry = catalog_.table()->share(model);
  if (!pin.ok() || !entry) return done(failed(pin.ok() ? model_not_found(model) : pin.status()));
  const int64_t number = (*pin)->version();
  const auto* served = entry->find(0);
  const bool is_default = served != nullptr && (*served)->version() == number;
  const auto finish = [model, done](const Status& status) {
    done(status.ok() ? said("Model " + quoted(model) + " unregistered") : failed(status));
  };
  if (entry->versions.size() < 2) return control_.unload({model}, finish);
  if (!is_default) return control_.withdraw(model, number, finish);
  done({.failure = Failure{403, "InvalidModelVersionException", "Cannot remove default version for model " + model}});
}

void Management::set_default(const std::string& model, const std::string& version, Done done) const {
  const auto number = version_of_text(catalog_, model, version);
  if (!number.ok()) return done(failed(number.status()));
  control_.assign({model, {}, *number, false}, [model, version, done](const Status& status) {
    done(status.ok()
             ? said("Default version successfully updated for model " + quoted(model) + " to " + quoted(version))
             : failed(status));
  });
}

}  // namespace modelmill::torchserve
