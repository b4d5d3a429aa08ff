#pragma once

#include <algorithm>
#include <atomic>
#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "backend/backend_model.h"
#include "base/mutex.h"
#include "lifecycle/backend_source.h"
#include "lifecycle/direct_run.h"

namespace modelmill {

/// What a fake model computes: the inputs of a whole batch to its outputs.
using FakeCompute = std::function<Result<TensorList>(const TensorList& inputs)>;

inline Tensor fake_floats(const std::string& name, Shape shape, const std::vector<float>& values) {
  Tensor tensor{name, DataType::kFp32, std::move(shape), {}};
  tensor.data.push_back(Bytes::copy_of({reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float)}));
  return tensor;
}

inline std::vector<float> floats_of(const Tensor& tensor) {
  const Bytes bytes = tensor.contiguous();
  std::vector<float> values(bytes.size() / sizeof(float));
  if (!values.empty()) std::memcpy(values.data(), bytes.data(), bytes.size());
  return values;
}

/// The i-th of several equal parts along the first dimension, which has `rows` rows in all. For types of fixed size.
inline Tensor fake_slice(const Tensor& whole, int64_t from, int64_t count) {
  const Bytes bytes = whole.contiguous();
  const size_t row = bytes.size() / static_cast<size_t>(whole.shape[0]);
  Tensor part{whole.name, whole.dtype, whole.shape, {}};
  part.shape[0] = count;
  part.data.push_back(bytes.slice(static_cast<size_t>(from) * row, static_cast<size_t>(count) * row));
  return part;
}

/// What the fakes of one test did. Loads may run side by side; the lists are read when none runs.
struct FakeLog {
  std::atomic<int> loads{0}, unloads{0}, instances{0}, executions{0}, largest_batch{0};
  Mutex mutex;  // of the lists while they grow
  std::vector<InstanceGroup::Kind> kinds;
  std::vector<std::string> names;
  std::vector<BackendLoad> load_arguments;
};

/// Runs its model's function at once, on the calling thread; several requests are put together along the first
/// dimension.
class FakeInstance final : public BackendInstance {
 public:
  FakeInstance(const FakeCompute& compute, FakeLog& log, std::optional<uint64_t> gpu_bytes = {},
               std::optional<uint64_t> gpu_bytes_run = {})
      : compute_(compute), log_(log), gpu_bytes_(gpu_bytes), gpu_bytes_run_(gpu_bytes_run) {}

  std::optional<uint64_t> gpu_bytes(int) const override { return gpu_bytes_; }

  void execute(std::vector<InferRequestPtr> requests, Done done) override {
    ++log_.executions;
    if (gpu_bytes_run_) gpu_bytes_ = gpu_bytes_run_;
    const int count = static_cast<int>(requests.size());
    if (count > log_.largest_batch) log_.largest_batch = count;
    TensorList inputs(requests[0]->inputs.begin(), requests[0]->inputs.end());
    for (size_t i = 1; i < requests.size(); ++i)
      for (size_t k = 0; k < inputs.size(); ++k) {
        inputs[k].shape[0] += requests[i]->inputs[k].shape[0];
        for (const Bytes& chunk : requests[i]->inputs[k].data) inputs[k].data.push_back(chunk);
      }
    const auto outputs = compute_(inputs);
    int64_t row = 0;
    for (InferRequestPtr& request : requests) {
      answer(*request, outputs, requests.size() > 1, row);
      row += request->batch_rows;
    }
    requests.clear();
    done({});
  }

 private:
  static void answer(InferRequest& request, const Result<TensorList>& outputs, bool cut, int64_t row) {
    if (!outputs.ok()) return request.fail(outputs.status());
    InferResponse response;
    for (const Tensor& output : *outputs) {
      const bool wanted = request.outputs.empty() || std::any_of(request.outputs.begin(), request.outputs.end(),
                                                                 [&](const auto& o) { return o.name == output.name; });
      if (!wanted) continue;
      if (cut && (output.shape.empty() || output.shape[0] < row + request.batch_rows))
        return request.fail(internal("output '" + output.name + "' has too few rows"));
      response.outputs.push_back(cut ? fake_slice(output, row, request.batch_rows) : output);
    }
    request.complete(std::move(response));
  }

  const FakeCompute& compute_;
  FakeLog& log_;
  std::optional<uint64_t> gpu_bytes_;
  const std::optional<uint64_t> gpu_bytes_run_;
};

struct FakeModelParts {
  BackendModelInfo info;
  FakeCompute compute;
  /// Bytes of a GPU that each instance tells to hold, when it is made and once it has run; nullopt: it can't tell.
  std::optional<uint64_t> gpu_bytes = {}, gpu_bytes_run = {};
  /// What the model holds beside them.
  std::optional<uint64_t> weights = {};
  std::map<std::string, FakeModelParts> signatures = {};  // its others, by name
};

class FakeModel final : public BackendModel {
 public:
  FakeModel(const FakeModelParts& parts, FakeLog& log)
      : info_(parts.info), compute_(parts.compute), signatures_(parts.signatures), parts_(parts), log_(log) {}
  ~FakeModel() override { ++log_.unloads; }
  const BackendModelInfo& info() const override { return info_; }
  Result<std::unique_ptr<BackendInstance>> create_instance(const std::string& name, InstanceGroup::Kind kind,
                                                           int) override {
    ++log_.instances;
    {
      MutexLock lock(log_.mutex);
      log_.names.push_back(name);
      log_.kinds.push_back(kind);
    }
    return std::unique_ptr<BackendInstance>(
        std::make_unique<FakeInstance>(compute_, log_, parts_.gpu_bytes, parts_.gpu_bytes_run));
  }
  std::optional<uint64_t> gpu_bytes(int) const override { return parts_.weights; }
  Result<std::unique_ptr<BackendModel>> open_signature(const std::string& name) override {
    const auto it = signatures_.find(name);
    if (it == signatures_.end()) return unimplemented("signature '" + name + "' can't be run");
    return std::unique_ptr<BackendModel>(std::make_unique<FakeModel>(it->second, log_));
  }

 private:
  BackendModelInfo info_;
  FakeCompute compute_;
  std::map<std::string, FakeModelParts> signatures_;
  const FakeModelParts parts_;
  FakeLog& log_;
};

/// A backend "onnxruntime" whose models are given by name, and others that read the same files. Loads of one model only
/// at a time in tests that read the log.
struct FakeBackends {
  using Model = FakeModelParts;
  std::map<std::string, Model> models;
  /// The models of other backends, by backend and name.
  std::map<std::string, std::map<std::string, Model>> others;
  /// What a backend computes models in by itself, and their models then, by backend and precision.
  std::map<std::string, std::map<std::string, std::map<std::string, Model>>> lower;
  /// Those of files that the models' own are replaced by, by the file's name.
  std::map<std::string, Model> files;
  FakeLog log;
  /// Why backends can't run, by name; the others can.
  std::map<std::string, std::string> problems = {};
  /// Of each GPU; nullopt: none can tell.
  std::optional<BackendRegistry::DeviceMemory> memory = {};

  std::vector<BackendRegistry::Description> descriptions() const {
    std::vector<BackendRegistry::Description> out = {{"onnxruntime", "model.onnx", {".onnx"}}};
    for (const auto& [name, its_models] : others) out.push_back({name, "model." + name, {"." + name, ".onnx"}});
    for (auto& description : out) {
      if (const auto it = problems.find(description.name); it != problems.end()) {
        description.usable = false;
        description.problem = it->second;
      }
      if (const auto it = lower.find(description.name); it != lower.end())
        for (const auto& precision : it->second) description.precisions.push_back(precision.first);
    }
    return out;
  }

  BackendSource source() {
    return {[this] { return descriptions(); },
            [this](const std::string& backend, const std::string&) -> Result<BackendRegistry::Description> {
              for (const auto& description : descriptions())
                if (description.name == backend) return description;
              return not_found("no backend '" + backend + "'");
            },
            [this](const std::string& backend, const BackendLoad& load,
                   const std::string&) -> Result<std::unique_ptr<BackendModel>> {
              ++log.loads;
              const auto& its_models = load.precision.empty() ? (backend == "onnxruntime" ? models : others.at(backend))
                                                              : lower.at(backend).at(load.precision);
              const auto own = its_models.find(load.model);
              const auto file = files.find(load.file.substr(load.file.rfind('/') + 1));
              if (own == its_models.end() && file == files.end())
                return invalid_argument("the file of model '" + load.model + "' is corrupt");
              {
                MutexLock lock(log.mutex);
                log.load_arguments.push_back(load);
              }
              return std::unique_ptr<BackendModel>(
                  std::make_unique<FakeModel>(file != files.end() ? file->second : own->second, log));
            },
            [this](const std::string&, int, const std::string&) { return memory; }};
  }
};

}  // namespace modelmill
