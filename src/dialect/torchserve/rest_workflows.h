#pragma once

#include <memory>
#include <string>
#include <vector>

#include "catalog/workflow_control.h"
#include "dialect/http_options.h"
#include "dialect/torchserve/metrics.h"
#include "serve/inference.h"
#include "wire/http.h"

namespace modelmill::torchserve {

/// Answers a request below /workflows; `path` is what follows that.
void handle_workflow_management(WorkflowControl& control, const std::shared_ptr<TorchMetrics>& metrics,
                                const std::shared_ptr<wire::HttpExchange>& exchange,
                                const std::vector<std::string>& path);

/// Answers an inference by a workflow: with the body of its one answer, or with a JSON object of several by their
/// nodes.
void handle_workflow_inference(Inference& inference, std::shared_ptr<const Workflow> workflow,
                               const std::shared_ptr<TorchMetrics>& metrics, const HttpOptions& options,
                               const std::shared_ptr<wire::HttpExchange>& exchange);

/// There is no workflow of that name.
wire::HttpReply no_such_workflow(const std::string& name);

}  // namespace modelmill::torchserve
