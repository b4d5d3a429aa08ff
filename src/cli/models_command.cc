#include <cstdio>

#include "base/json_text.h"
#include "cli/commands.h"
#include "cli/model_info.h"
#include "server/announcement.h"

namespace modelmill {
namespace {

struct ListedModel {
  IndexEntry entry;
  bool described = false;
  ModelInfo info;
  std::string learned;
};

std::string batching_text(const ModelInfo& info) {
  if (info.max_batch_size > 1) return "up to " + std::to_string(info.max_batch_size) + " rows";
  return info.unbatched_reason.empty() ? "off" : "off: " + info.unbatched_reason;
}

std::string text_list(const std::vector<ListedModel>& models) {
  std::string out;
  for (const ListedModel& model : models) {
    out += model.entry.name + (model.entry.version.empty() ? "" : "  version " + model.entry.version) + "  " +
           (model.entry.state.empty() ? "READY" : model.entry.state) + "\n";
    if (!model.entry.reason.empty()) out += "    reason     " + model.entry.reason + "\n";
    if (!model.described) continue;
    out += signature_text(model.info.signature);
    out += "    batching   " + batching_text(model.info) + "\n";
    if (!model.learned.empty()) out += "    learned    " + model.learned + "\n";
    if (model.info.instances > 0) out += "    instances  " + std::to_string(model.info.instances) + "\n";
  }
  return out.empty() ? "the server has no models\n" : out;
}

void write_tensors(JsonWriter& json, const char* name, const std::vector<TensorSpec>& tensors) {
  json.key(name).begin_array();
  for (const TensorSpec& tensor : tensors) {
    json.begin_object().field("name", tensor.name).field("datatype", dtype_name(tensor.dtype));
    json.key("shape").begin_array();
    for (const int64_t size : tensor.shape) json.value(size);
    json.end_array().end_object();
  }
  json.end_array();
}

std::string json_list(const std::vector<ListedModel>& models) {
  JsonWriter json;
  json.begin_array();
  for (const ListedModel& model : models) {
    json.begin_object().field("name", model.entry.name).field("version", model.entry.version);
    json.field("state", model.entry.state).field("reason", model.entry.reason);
    if (model.described) {
      json.field("platform", model.info.platform);
      write_tensors(json, "inputs", model.info.signature.inputs);
      write_tensors(json, "outputs", model.info.signature.outputs);
      json.field("max_batch_size", model.info.max_batch_size).field("unbatched_reason", model.info.unbatched_reason);
      json.field("instances", model.info.instances).field("learned", model.learned);
    }
    json.end_object();
  }
  json.end_array();
  return json.take() + "\n";
}

}  // namespace

ExitCode run(const ModelsCommand& command) {
  auto link = link_to(command);
  if (!link.ok()) return fail("models", link.status(), ExitCode::kUsage);
  const auto index = read_index(**link);
  if (!index.ok()) return fail("models", index.status(), exit_code_of(index.status()));
  std::vector<ListedModel> models;
  for (const IndexEntry& entry : *index) {
    ListedModel model{entry, false, {}, {}};
    if (entry.state == "READY" || entry.state.empty()) {
      auto info = read_model(**link, entry.name, entry.version);
      if (!info.ok()) return fail("models", info.status(), exit_code_of(info.status()));
      model.info = std::move(*info);
      model.learned = read_learned(**link, entry.name, entry.version);
      model.described = true;
    }
    models.push_back(std::move(model));
  }
  std::fputs((command.json ? json_list(models) : text_list(models)).c_str(), stdout);
  return ExitCode::kOk;
}

}  // namespace modelmill
