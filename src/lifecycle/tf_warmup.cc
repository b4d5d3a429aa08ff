#include "lifecycle/tf_warmup.h"

#include <algorithm>
#include <filesystem>
#include <optional>
#include <system_error>
#include <utility>

#include "base/log.h"
#include "lifecycle/tf_records.h"
#include "model/tf_tensor_proto.h"
#include "repository/model_files.h"
#include "tf_warmup.pb.h"

namespace modelmill {
namespace {

namespace fs = std::filesystem;

constexpr const char* kFile = "assets.extra/tf_serving_warmup_requests";
constexpr size_t kMostRecords = 1000;
constexpr uint64_t kMostBytes = uint64_t{1} << 30;
constexpr const char* kDefaultSignature = "serving_default";

class RecordReader {
 public:
  RecordReader(const Signature& signature, std::string served, bool batched)
      : signature_(signature), served_(std::move(served)), batched_(batched) {}

  /// nullopt: the record is for something that isn't served.
  Result<std::optional<DirectRequest>> read(std::string_view record) const {
    tf_warmup::PredictionLog log;
    if (!log.ParseFromArray(record.data(), static_cast<int>(record.size())))
      return invalid_argument("it is not a PredictionLog");
    switch (log.log_type_case()) {
      case tf_warmup::PredictionLog::kPredictLog: return predict(log.predict_log().request());
      case tf_warmup::PredictionLog::kClassifyLog: return examples(log.classify_log().request());
      case tf_warmup::PredictionLog::kRegressLog: return examples(log.regress_log().request());
      case tf_warmup::PredictionLog::LOG_TYPE_NOT_SET: return invalid_argument("it is a PredictionLog without a log");
      default: return std::optional<DirectRequest>();
    }
  }

 private:
  bool is_served(const tf_warmup::ModelSpec& spec) const {
    return (spec.signature_name().empty() ? kDefaultSignature : spec.signature_name()) == served_;
  }

  Result<std::optional<DirectRequest>> predict(const tf_warmup::PredictRequest& request) const {
    if (!is_served(request.model_spec())) return std::optional<DirectRequest>();
    TensorList tensors;
    for (const auto& [name, proto] : request.inputs()) {
      if (signature_.input(name) == nullptr) return invalid_argument("the model has no input '" + name + "'");
      MM_ASSIGN_OR_RETURN(Tensor tensor, tensor_of_proto(name, proto));
      tensors.push_back(std::move(tensor));
    }
    return request_of(std::move(tensors));
  }

  Result<std::optional<DirectRequest>> examples(const tf_warmup::ExampleRequest& request) const {
    if (!is_served(request.model_spec())) return std::optional<DirectRequest>();
    if (signature_.inputs.size() != 1 || signature_.inputs[0].dtype != DataType::kBytes)
      return invalid_argument("it has examples, but the signature '" + served_ +
                              "' does not take one input of strings");
    const tf_warmup::Input& input = request.input();
    const bool with_context = input.has_example_list_with_context();
    const auto& list = with_context ? input.example_list_with_context().examples() : input.example_list().examples();
    tensorflow::TensorProto proto;
    proto.set_dtype(tensorflow::DT_STRING);
    proto.mutable_tensor_shape()->add_dim()->set_size(list.size());
    // Two messages one after the other are one that has the fields of both.
    for (const std::string& example : list)
      proto.add_string_val((with_context ? input.example_list_with_context().context() : std::string()) + example);
    TensorList tensors;
    MM_ASSIGN_OR_RETURN(Tensor tensor, tensor_of_proto(signature_.inputs[0].name, proto));
    tensors.push_back(std::move(tensor));
    return request_of(std::move(tensors));
  }

  /// In the model's order, held against the signature.
  Result<std::optional<DirectRequest>> request_of(TensorList given) const {
    DirectRequest out;
    for (const TensorSpec& spec : signature_.inputs) {
      const auto it = std::find_if(given.begin(), given.end(), [&](const Tensor& t) { return t.name == spec.name; });
      if (it == given.end()) {
        if (spec.optional) continue;
        return invalid_argument("input '" + spec.name + "' is missing");
      }
      if (it->dtype != spec.dtype || !shape_matches(dims(spec.shape), dims(it->shape)))
        return invalid_argument("input '" + spec.name + "' is " + std::string(dtype_config_name(it->dtype)) +
                                shape_text(dims(it->shape)) + ", but the model takes " +
                                std::string(dtype_config_name(spec.dtype)) + shape_text(dims(spec.shape)));
      out.inputs.push_back(std::move(*it));
    }
    if (batched_ && !out.inputs.empty() && !out.inputs[0].shape.empty()) out.rows = out.inputs[0].shape[0];
    return std::optional<DirectRequest>(std::move(out));
  }

  const Signature& signature_;
  const std::string served_;
  const bool batched_;
};

}  // namespace

Result<bool> add_tf_warmup(const std::string& model_file, const ModelDefinition& definition, const WarmedEntry& entry,
                           int iterations, std::vector<WarmupSample>& samples) {
  std::error_code ignored;
  const fs::path folder =
      fs::is_directory(model_file, ignored) ? fs::path(model_file) : fs::path(model_file).parent_path();
  const std::string path = (folder / kFile).string();
  if (model_file.empty() || !fs::exists(path, ignored)) return false;
  const std::string what = "model '" + definition.name + "': warm-up file '" + path + "'";
  const Result<std::string> bytes = read_file(path, kMostBytes);
  if (!bytes.ok()) return bytes.status().with_context(what);
  const auto records = read_tf_records(*bytes, kMostRecords);
  if (!records.ok()) return records.status().with_context(what);
  const std::string name = entry.name.empty() ? kDefaultSignature : entry.name;
  const RecordReader reader(entry.signature, name, entry.batched);
  size_t taken = 0;
  for (size_t i = 0; i < records->size(); ++i) {
    auto request = reader.read((*records)[i]);
    if (!request.ok()) return request.status().with_context(what + ": record " + std::to_string(i + 1));
    if (!*request) continue;
    ++taken;
    WarmupSample sample{"record " + std::to_string(i + 1) + " of " + path, iterations, {}};
    sample.requests.push_back(**std::move(request));
    samples.push_back(std::move(sample));
  }
  Log::info(
      "warm-up requests come with the model",
      {{"model", definition.name}, {"requests", taken}, {"passed_over", records->size() - taken}, {"signature", name}});
  return true;
}

}  // namespace modelmill
