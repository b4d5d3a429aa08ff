#include "lifecycle/warmup.h"

#include <algorithm>
#include <random>
#include <utility>

#include "lifecycle/sample_inputs.h"
#include "model_config.pb.h"
#include "repository/model_files.h"

namespace modelmill {
namespace {

constexpr uint64_t kSeed = 7;
constexpr uint64_t kDataLimit = uint64_t{1} << 30;
constexpr uint32_t kMostRequests = 4096;

/// Builds the tensors of one sample.
class SampleMaker {
 public:
  SampleMaker(const ModelDefinition& definition, const Signature& signature, const std::string& directory)
      : signature_(signature), directory_(directory), batched_(definition.max_batch_size.value_or(0) > 0) {}

  Result<WarmupSample> make(const inference::ModelWarmup& warmup) {
    WarmupSample sample{warmup.name(), static_cast<int>(std::clamp<uint32_t>(warmup.count(), 1, 1'000'000)), {}};
    if (!batched_ && warmup.batch_size() > 1)
      return invalid_argument("batch_size must be 1, because the model is served without a batch dimension");
    if (warmup.batch_size() > kMostRequests)
      return invalid_argument("batch_size must be at most " + std::to_string(kMostRequests));
    DirectRequest request;
    for (const TensorSpec& spec : signature_.inputs) {
      const auto it = warmup.inputs().find(spec.name);
      if (it == warmup.inputs().end()) {
        if (spec.optional) continue;
        return invalid_argument("input '" + spec.name + "' is missing");
      }
      MM_ASSIGN_OR_RETURN(Tensor tensor, make_tensor(spec, it->second));
      request.inputs.push_back(std::move(tensor));
    }
    for (const auto& [name, unused] : warmup.inputs())
      if (signature_.input(name) == nullptr) return invalid_argument("the model has no input '" + name + "'");
    sample.requests.assign(warmup.batch_size(), request);
    return sample;
  }

 private:
  Result<Tensor> make_tensor(const TensorSpec& spec, const inference::ModelWarmup::Input& input) {
    Shape shape(input.dims().begin(), input.dims().end());
    if (batched_) shape.insert(shape.begin(), 1);
    const auto dtype = static_cast<DataType>(input.data_type());
    const std::string what = "input '" + spec.name + "' ";
    if (dtype != spec.dtype)
      return invalid_argument(what + "is " + std::string(dtype_config_name(dtype)) + ", but the model takes " +
                              std::string(dtype_config_name(spec.dtype)));
    if (!shape_matches(dims(spec.shape), dims(shape)))
      return invalid_argument(what + "has shape " + shape_text(dims(shape)) + ", but the model takes " +
                              shape_text(dims(spec.shape)));
    const auto count = element_count(dims(shape));
    if (!count || static_cast<uint64_t>(*count) > kDataLimit) return invalid_argument(what + "is too large to be made");
    if (input.has_random_data() && dtype != DataType::kBytes)
      return sample_tensor(spec.name, dtype, shape, ValueRange::kTame, 0, random_);
    Tensor tensor{spec.name, dtype, std::move(shape), {}};
    if (input.has_input_data_file()) {
      MM_ASSIGN_OR_RETURN(const std::string path, path_inside(directory_ + "/warmup", input.input_data_file()));
      MM_ASSIGN_OR_RETURN(std::string data, read_file(path, kDataLimit));
      // Triton takes what it needs of a longer file.
      const size_t wanted = static_cast<size_t>(*count) * dtype_size(dtype);
      if (dtype != DataType::kBytes && data.size() > wanted) data.resize(wanted);
      tensor.data.push_back(Bytes::from_string(std::move(data)));
    } else {
      // Empty strings are four zero bytes each, so zeros are right for every type.
      const size_t size = static_cast<size_t>(*count) * (dtype == DataType::kBytes ? 4 : dtype_size(dtype));
      tensor.data.push_back(Bytes::from_string(std::string(size, '\0')));
    }
    MM_RETURN_IF_ERROR(check_tensor_bytes(tensor));
    return tensor;
  }

  const Signature& signature_;
  const std::string& directory_;
  const bool batched_;
  std::mt19937_64 random_{kSeed};
};

}  // namespace

Result<std::vector<WarmupSample>> warmup_samples(const ModelDefinition& definition, const Signature& signature,
                                                 const std::string& model_directory) {
  inference::ModelConfig config;
  (void)config.ParseFromString(definition.triton_config);  // our own serialisation
  std::vector<WarmupSample> samples;
  SampleMaker maker(definition, signature, model_directory);
  for (const auto& warmup : config.model_warmup()) {
    if (warmup.batch_size() == 0) continue;
    auto sample = maker.make(warmup);
    if (!sample.ok())
      return sample.status().with_context("model '" + definition.name + "': warmup sample '" + warmup.name() + "'");
    samples.push_back(*std::move(sample));
  }
  return samples;
}

Status run_warmup(BackendInstance& instance, const ModelDefinition& definition, int64_t version,
                  const std::vector<WarmupSample>& samples) {
  for (const WarmupSample& sample : samples)
    for (int i = 0; i < sample.count; ++i)
      for (const auto& answer : run_directly(instance, definition.name, version, sample.requests))
        if (!answer.ok())
          return answer.status().with_context("model '" + definition.name + "': failed to run warmup sample '" +
                                              sample.name + "'");
  return ok_status();
}

void run_default_warmup(BackendInstance& instance, const ModelDefinition& definition, int64_t version,
                        const Signature& signature, bool batched, int64_t open_size, int64_t batch) {
  constexpr int64_t kMostRows = 4;
  constexpr int kTimes = 2;
  std::mt19937_64 random(kSeed);
  std::vector<DirectRequest> rows;
  for (int64_t i = 0; i < std::clamp<int64_t>(batch, 1, kMostRows); ++i) {
    auto inputs = sample_inputs(signature, batched, 1, open_size, ValueRange::kTame, static_cast<int>(i), random);
    if (!inputs) return;
    rows.push_back({*std::move(inputs), 1});
  }
  for (int i = 0; i < kTimes; ++i) (void)run_directly(instance, definition.name, version, {rows[0]});
  if (rows.size() > 1) (void)run_directly(instance, definition.name, version, rows);
}

}  // namespace modelmill
