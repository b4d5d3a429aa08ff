#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "catalog/model_control.h"
#include "catalog/workflow_control.h"
#include "dialect/http_options.h"
#include "dialect/http_router.h"
#include "dialect/torchserve/keys.h"
#include "dialect/torchserve/management.h"
#include "dialect/torchserve/metrics.h"
#include "dialect/torchserve/sequence_names.h"
#include "serve/inference.h"
#include "wire/grpc.h"

namespace modelmill::torchserve {

/// TorchServe's protocol, over both protocols and on the one port: inference, management and metrics
/// (docs/torchserve.md). Thread-safe; what it is made with must outlive the wire.
class Service {
 public:
  struct Options {
    std::string server_version;
    /// Every model that should be served is.
    std::function<bool()> ready;
    HttpOptions http = {};
    /// Of token authorization; null: it is off, and there is no /token.
    std::shared_ptr<Keys> keys = nullptr;
    /// The paths that begin with /models are another's; then its management is below /torchserve alone.
    bool without_models = false;
    /// Null: there are no workflows, nor their paths. Outlives the wire.
    WorkflowControl* workflows = nullptr;
    /// Of models that are registered without a number of workers; see Management.
    std::optional<int> usual_workers = std::nullopt;
    /// What requests say of sequences by; null: TorchServe's own names.
    std::shared_ptr<const SequenceNames> sequence_names = nullptr;
  };

  Service(Inference& inference, ModelControl& control, Options options);

  /// Adds its paths, each also below /torchserve.
  void add_to(HttpRouter& router) const;
  /// Adds InferenceAPIsService and ManagementAPIsService, and describes them for reflection.
  void add_to(wire::GrpcMethods& methods) const;
  /// Its metrics as they are now, in Prometheus' text.
  std::string metrics_page() const;

 private:
  struct Rep;
  const std::shared_ptr<const Rep> rep_;
};

}  // namespace modelmill::torchserve
