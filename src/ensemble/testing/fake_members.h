#pragma once

#include <cstring>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/mutex.h"
#include "catalog/model_version.h"
#include "ensemble/members.h"

namespace modelmill::testing {

/// A version that is there to be pinned.
class PinnedVersion final : public ModelVersion {
 public:
  PinnedVersion(MetricRegistry& metrics, Description description)
      : ModelVersion(description,
                     std::make_shared<VersionStats>(metrics, description.definition.name, description.version)) {}
  void submit(InferRequestPtr request) override { request->fail(internal("not asked for")); }
  ProcessHealth process_health() const override { return health; }
  std::optional<uint64_t> answers_epoch() const override { return epoch; }
  ProcessHealth health;
  std::optional<uint64_t> epoch = 0;
};

/// Members that answer as a test says: at once, by what `answer` makes of the request, or when the test takes a request
/// that waits. Of one thread, but that members may be asked from several.
class FakeMembers final : public EnsembleMembers {
 public:
  using Answer = std::function<void(InferRequestPtr)>;

  void add(const std::string& name, Answer answer, ModelVersion::Description description = {}) {
    description.definition.name = name;
    at_change += 2;
    versions.erase(name);
    versions[name] = std::make_unique<PinnedVersion>(metrics_, std::move(description));
    answers[name] = std::move(answer);
  }
  /// Requests for the model wait in `waiting`.
  void hold(const std::string& name) {
    answers[name] = [this, name](InferRequestPtr request) { waiting[name].push_back(std::move(request)); };
  }
  InferRequestPtr take(const std::string& name) {
    InferRequestPtr request = std::move(waiting.at(name).front());
    waiting.at(name).pop_front();
    return request;
  }

  Result<VersionPin> pin(const EnsemblePlan::Step& step) override {
    const auto it = versions.find(step.model);
    if (it == versions.end()) return unavailable("Request for unknown model: '" + step.model + "' is not found");
    return VersionPin(*it->second);
  }
  void submit(VersionPin pin, InferRequestPtr request) override {
    const std::string model = request->model;
    {
      const MutexLock lock(mutex_);
      asked.push_back(model);
    }
    std::move(pin).hand_to(*request);
    answers.at(model)(std::move(request));
  }
  /// Those that wait and are not wanted are answered.
  void drop_unwanted(const EnsemblePlan::Step& step) override {
    dropped.push_back(step.model);
    std::deque<InferRequestPtr> kept, gone;
    for (InferRequestPtr& request : waiting[step.model])
      (request->cancelled() ? gone : kept).push_back(std::move(request));
    waiting[step.model] = std::move(kept);
    for (const InferRequestPtr& request : gone) request->fail(cancelled("the request was cancelled"));
  }
  void call_at(TimePoint when, std::function<void()> call) override { timers.emplace(when, std::move(call)); }
  uint64_t changes() const override { return at_change; }
  void time_is_up() {
    for (auto& [when, call] : std::exchange(timers, {})) call();
  }

  std::map<std::string, std::unique_ptr<PinnedVersion>> versions;
  std::map<std::string, Answer> answers;
  std::map<std::string, std::deque<InferRequestPtr>> waiting;
  std::multimap<TimePoint, std::function<void()>> timers;
  std::vector<std::string> asked, dropped;
  uint64_t at_change = 0;

 private:
  MetricRegistry metrics_;
  Mutex mutex_;
};

/// FP32 values.
inline Tensor floats(const std::string& name, const std::vector<float>& values) {
  const std::string bytes(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float));
  return {name, DataType::kFp32, {static_cast<int64_t>(values.size())}, {Bytes::copy_of(bytes)}};
}

inline std::vector<float> floats_of(const Tensor& tensor) {
  const Bytes bytes = tensor.contiguous();
  std::vector<float> out(bytes.size() / sizeof(float));
  std::memcpy(out.data(), bytes.data(), bytes.size());
  return out;
}

/// Gives every output that is asked for, of one value.
inline FakeMembers::Answer gives(float value) {
  return [value](InferRequestPtr request) {
    InferResponse response;
    for (const RequestedOutput& output : request->outputs) response.outputs.push_back(floats(output.name, {value}));
    request->complete(std::move(response));
  };
}

inline FakeMembers::Answer fails(Status status) {
  return [status](const InferRequestPtr& request) { request->fail(status); };
}

}  // namespace modelmill::testing
