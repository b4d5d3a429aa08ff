#include "dialect/tfserving/metadata.h"

#include <vector>

#include "base/json_text.h"
#include "model/tf_tensor_proto.h"

namespace modelmill::tfserving {
namespace {

namespace api = tensorflow::serving;
using State = api::ModelVersionStatus;

State::State state_of(VersionState state) {
  switch (state) {
    case VersionState::kLoading: return State::LOADING;
    case VersionState::kReady: return State::AVAILABLE;
    case VersionState::kUnloading: return State::UNLOADING;
    case VersionState::kUnavailable: break;
  }
  return State::END;
}

/// As google.rpc.Code names them, which TensorFlow does too.
const char* error_name(int code) { return code_name(static_cast<Code>(code)); }

void put_tensors(const std::vector<TensorSpec>& specs, google::protobuf::Map<std::string, tensorflow::TensorInfo>& to) {
  for (const TensorSpec& spec : specs) {
    tensorflow::TensorInfo& info = to[spec.name];
    info.set_name(spec.name);
    info.set_dtype(tf_dtype(spec.dtype));
    auto& shape = *info.mutable_tensor_shape();
    for (const int64_t size : spec.shape) shape.add_dim()->set_size(size);
  }
}

void write_tensors(JsonWriter& json, const char* key, const std::vector<TensorSpec>& specs) {
  json.key(key).begin_object();
  for (const TensorSpec& spec : specs) {
    json.key(spec.name).begin_object();
    json.field("dtype", tensorflow::DataType_Name(tf_dtype(spec.dtype)));
    json.key("tensor_shape").begin_object().key("dim").begin_array();
    for (const int64_t size : spec.shape)
      json.begin_object().field("size", std::to_string(size)).field("name", "").end_object();
    json.end_array().field("unknown_rank", false).end_object();
    json.field("name", spec.name).end_object();
  }
  json.end_object();
}

std::string method_of(const ModelVersion& entry) {
  const std::string& method = entry.description().signature_method;
  return method.empty() ? "tensorflow/serving/predict" : method;
}

/// Itself first.
std::vector<const ModelVersion*> entries_of(const ModelVersion& version) {
  std::vector<const ModelVersion*> out{&version};
  for (const auto& [name, entry] : version.other_signatures()) out.push_back(entry.get());
  return out;
}

}  // namespace

Result<api::GetModelStatusResponse> model_status(const Catalog& catalog, const ModelTarget& target) {
  const auto table = catalog.table();
  const ModelEntry* entry = table->find(target.model);
  std::optional<int64_t> version = target.version;
  if (!target.label.empty()) {
    const auto labelled = entry == nullptr ? decltype(entry->labels.end()){} : entry->labels.find(target.label);
    if (entry == nullptr || labelled == entry->labels.end())
      return invalid_argument("Unrecognized servable version label: " + target.label);
    version = labelled->second;
  }
  api::GetModelStatusResponse out;
  if (entry != nullptr)
    for (const VersionStatus& status : entry->statuses) {
      if (version && *version != status.version) continue;
      State& to = *out.add_model_version_status();
      to.set_version(status.version);
      to.set_state(state_of(status.state));
      const bool failed = status.state == VersionState::kUnavailable && !status.reason.empty();
      to.mutable_status()->set_error_code(static_cast<int>(failed ? Code::kUnknown : Code::kOk));
      if (failed) to.mutable_status()->set_error_message(status.reason);
    }
  if (out.model_version_status_size() > 0) return out;
  if (version) return not_found("Could not find version " + std::to_string(*version) + " of model " + target.model);
  return not_found("Could not find any versions of model " + target.model);
}

api::SignatureDefMap signatures_of(const ModelVersion& version) {
  api::SignatureDefMap out;
  for (const ModelVersion* const entry : entries_of(version)) {
    tensorflow::SignatureDef& signature = (*out.mutable_signature_def())[signature_name(*entry)];
    put_tensors(entry->signature().inputs, *signature.mutable_inputs());
    put_tensors(entry->signature().outputs, *signature.mutable_outputs());
    signature.set_method_name(method_of(*entry));
  }
  return out;
}

std::string json_of(const api::GetModelStatusResponse& status) {
  JsonWriter json;
  json.begin_object().key("model_version_status").begin_array();
  for (const State& version : status.model_version_status()) {
    json.begin_object().field("version", std::to_string(version.version()));
    json.field("state", State::State_Name(version.state()));
    json.key("status").begin_object().field("error_code", error_name(version.status().error_code()));
    json.field("error_message", version.status().error_message()).end_object().end_object();
  }
  json.end_array().end_object();
  return json.take();
}

std::string metadata_json(const ModelVersion& version) {
  JsonWriter json;
  json.begin_object().key("model_spec").begin_object();
  json.field("name", version.name()).field("signature_name", "");
  json.field("version", std::to_string(version.version())).end_object();
  json.key("metadata").begin_object().key("signature_def").begin_object().key("signature_def").begin_object();
  for (const ModelVersion* const entry : entries_of(version)) {
    json.key(signature_name(*entry)).begin_object();
    write_tensors(json, "inputs", entry->signature().inputs);
    write_tensors(json, "outputs", entry->signature().outputs);
    json.field("method_name", method_of(*entry)).end_object();
  }
  json.end_object().end_object().end_object().end_object();
  return json.take();
}

}  // namespace modelmill::tfserving
