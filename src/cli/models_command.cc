#include <cstdio>

#include "base/json_text.h"
#include "cli/commands.h"
#include "cli/model_info.h"
#include "server/announcement.h"

namespace modelmill {
namespace {

constexpr std::string_view kGraphs = "inference_graph";  // their platform

struct ListedModel {
  IndexEntry entry;
  bool described = false;  // by a signature
  ModelInfo info;
  ExplainedInfo explained;
};

std::string batching_text(int64_t rows, const std::string& unbatched_reason) {
  if (rows > 1) return "up to " + std::to_string(rows) + " rows";
  return unbatched_reason.empty() ? "off" : "off: " + unbatched_reason;
}

std::string running_text(const std::string& batching, const std::string& learned, int64_t instances) {
  std::string out = "    batching   " + batching + "\n";
  if (!learned.empty()) out += "    learned    " + learned + "\n";
  if (instances > 0) out += "    instances  " + std::to_string(instances) + "\n";
  return out;
}

std::string text_list(const std::vector<ListedModel>& models) {
  std::string out;
  for (const ListedModel& model : models) {
    out += model.entry.name + (model.entry.version.empty() ? "" : "  version " + model.entry.version) + "  " +
           (model.entry.state.empty() ? "READY" : model.entry.state) + "\n";
    if (!model.entry.reason.empty()) out += "    reason     " + model.entry.reason + "\n";
    if (model.info.platform == kGraphs)
      out += "    kind       inference graph; POST a body of V1 or V2 to /graphs/" + model.entry.name + "\n";
    if (!model.described) continue;
    const ExplainedInfo& explained = model.explained;
    if (!explained.other_signatures.empty()) out += "    signature  " + explained.signature_name + "\n";
    out += signature_text(model.info.signature);
    out += running_text(batching_text(model.info.max_batch_size, model.info.unbatched_reason), explained.learned,
                        model.info.instances);
    for (const SignatureInfo& other : explained.other_signatures)
      out += "    signature  " + other.name + "\n" + signature_text(other.signature) +
             running_text(batching_text(other.max_rows, other.unbatched_reason), other.learned, other.instances);
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

void write_signatures(JsonWriter& json, const ExplainedInfo& explained) {
  if (explained.other_signatures.empty()) return;
  json.field("signature", explained.signature_name).key("signatures").begin_array();
  for (const SignatureInfo& other : explained.other_signatures) {
    json.begin_object().field("name", other.name);
    write_tensors(json, "inputs", other.signature.inputs);
    write_tensors(json, "outputs", other.signature.outputs);
    json.field("max_rows", other.max_rows).field("unbatched_reason", other.unbatched_reason);
    json.field("instances", other.instances).field("learned", other.learned).end_object();
  }
  json.end_array();
}

std::string json_list(const std::vector<ListedModel>& models) {
  JsonWriter json;
  json.begin_array();
  for (const ListedModel& model : models) {
    json.begin_object().field("name", model.entry.name).field("version", model.entry.version);
    json.field("state", model.entry.state).field("reason", model.entry.reason);
    if (model.info.platform == kGraphs) json.field("platform", kGraphs);
    if (model.described) {
      json.field("platform", model.info.platform);
      write_tensors(json, "inputs", model.info.signature.inputs);
      write_tensors(json, "outputs", model.info.signature.outputs);
      json.field("max_batch_size", model.info.max_batch_size).field("unbatched_reason", model.info.unbatched_reason);
      json.field("instances", model.info.instances).field("learned", model.explained.learned);
      write_signatures(json, model.explained);
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
      model.described = model.info.platform != kGraphs;
      if (model.described) model.explained = read_explained(**link, entry.name, entry.version);
    }
    models.push_back(std::move(model));
  }
  std::fputs((command.json ? json_list(models) : text_list(models)).c_str(), stdout);
  return ExitCode::kOk;
}

}  // namespace modelmill
