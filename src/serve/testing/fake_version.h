#pragma once

#include <functional>
#include <memory>
#include <utility>

#include "catalog/catalog.h"
#include "catalog/model_version.h"

namespace modelmill::testing {

/// A version whose scheduler is a function.
class FakeVersion final : public ModelVersion {
 public:
  using Run = std::function<void(InferRequestPtr)>;

  FakeVersion(MetricRegistry& metrics, Description description, Run run)
      : ModelVersion(description,
                     std::make_shared<VersionStats>(metrics, description.definition.name, description.version)),
        run_(std::move(run)) {}

  void submit(InferRequestPtr request) override { run_(std::move(request)); }
  bool suspended() const override { return has_no_instances; }

  bool has_no_instances = false;

 private:
  Run run_;
};

/// Inputs x (FP32 [-1,4]) and outputs y like it.
inline ModelVersion::Description simple_description(std::string name, int64_t version = 1) {
  ModelVersion::Description d;
  d.definition.name = std::move(name);
  d.definition.backend = "fake";
  d.definition.platform = "fake_platform";
  d.definition.max_batch_size = 8;
  d.definition.batching.mode = BatchingDefinition::Mode::kDynamic;
  d.definition.batching.max_batch_size = 8;
  d.signature.inputs = {{"x", DataType::kFp32, {-1, 4}, {}, false}};
  d.signature.outputs = {{"y", DataType::kFp32, {-1, 4}, {}, false}};
  d.version = version;
  return d;
}

/// Answers with the inputs as the outputs, in the signature's order.
inline void echo(const ModelVersion::Description& description, InferRequestPtr request) {
  InferResponse response;
  response.version = description.version;
  for (size_t i = 0; i < request->inputs.size() && i < description.signature.outputs.size(); ++i) {
    Tensor tensor = request->inputs[i];
    tensor.name = description.signature.outputs[i].name;
    response.outputs.push_back(std::move(tensor));
  }
  request->complete(std::move(response));
}

/// A catalog of fake versions.
class FakeCatalog {
 public:
  Catalog& catalog() { return catalog_; }

  /// Adds an echoing version, or one that does what `run` says.
  void add(ModelVersion::Description description, FakeVersion::Run run = {}) {
    if (!run) run = [description](InferRequestPtr request) { echo(description, std::move(request)); };
    auto table = std::make_shared<ModelTable>(*catalog_.table());
    const std::string name = description.definition.name;
    auto entry = std::make_shared<ModelEntry>();
    if (const auto* found = table->find(name)) *entry = *found;
    entry->name = name;
    entry->statuses.push_back({description.version, VersionState::kReady, ""});
    entry->versions.push_back(std::make_shared<FakeVersion>(metrics_, std::move(description), std::move(run)));
    table->put(entry);
    catalog_.publish(table);
  }

  /// Gives the last version of `name` another entry point, which echoes.
  void add_signature(const std::string& name, ModelVersion::Description description) {
    auto run = [description](InferRequestPtr request) { echo(description, std::move(request)); };
    catalog_.table()->find(name)->versions.back()->add_signature(
        std::make_shared<FakeVersion>(metrics_, std::move(description), std::move(run)));
  }

  /// Adds a version that is not ready.
  void add_unready(const std::string& name, int64_t version, std::string reason) {
    auto table = std::make_shared<ModelTable>(*catalog_.table());
    auto entry = std::make_shared<ModelEntry>();
    if (const auto* found = table->find(name)) *entry = *found;
    entry->name = name;
    entry->statuses.push_back({version, VersionState::kUnavailable, std::move(reason)});
    table->put(entry);
    catalog_.publish(table);
  }

 private:
  MetricRegistry metrics_;
  Catalog catalog_;
};

/// Keeps what a request was answered with.
class RecordingSink final : public ResponseSink {
 public:
  void on_response(InferResponse response, bool final, bool has_response) override {
    if (has_response) responses.push_back(std::move(response));
    finals += final;
  }
  std::vector<InferResponse> responses;
  int finals = 0;
};

}  // namespace modelmill::testing
