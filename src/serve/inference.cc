#include "serve/inference.h"

#include <utility>

#include "request/open_parameter.h"
#include "serve/input_check.h"

namespace modelmill {
namespace {

/// The entry point that the request names, if it names one and the model's have names.
Result<ModelVersion*> entry_for(ModelVersion& version, const InferRequest& request) {
  if (request.parameters.empty() || version.description().signature_name.empty()) return &version;
  const ParameterValue* const named = request.parameters.find(kSignatureParameter);
  if (named == nullptr) return &version;
  const auto* const name = std::get_if<std::string>(named);
  if (name == nullptr)
    return invalid_argument("parameter '" + std::string(kSignatureParameter) + "' must be a string, the name of one " +
                            "of the signatures of model '" + version.name() + "'");
  if (ModelVersion* const entry = version.entry(*name)) return entry;
  std::string names = "'" + version.description().signature_name + "'";
  for (const auto& [other, unused] : version.other_signatures()) names += ", '" + other + "'";
  return invalid_argument("model '" + version.name() + "' serves no signature '" + *name + "'; it serves " + names);
}

/// What a client said beside tensors is for code with an open signature.
Parameters without_open_request(const Parameters& parameters) {
  Parameters out;
  for (const auto& [name, value] : parameters)
    if (name != kOpenRequest) out.set(name, value);
  return out;
}

}  // namespace

RoutedRequestPtr Inference::route(std::string_view model, const RequestFacts& facts) {
  std::shared_ptr<const Route> route = find_route(model);
  if (!route) return nullptr;
  const auto resubmit = [](void* self, InferRequestPtr request, const char* refusal, RoutedRequestPtr routed) {
    auto& inference = *static_cast<Inference*>(self);
    inference.submit(Task{std::move(request), refusal, std::move(routed)}, inference.demand_ != nullptr);
  };
  return std::make_shared<RoutedRequest>(std::move(route), facts,
                                         RoutedRequest::Ways{resubmit, this, &timer_, &shadows_});
}

void Inference::Task::fail(const Status& status) {
  if (routed)
    routed->answer_without(std::move(request), status);
  else
    request->fail(status);
}

void Inference::submit(InferRequestPtr request, const char* decoupled_refusal, RoutedRequestPtr routed) {
  if (routed) routed->choose_again(request->parameters);
  if (tracer_ != nullptr) tracer_->begin(routed ? routed->target().model : request->model, *request, routed);
  submit(Task{std::move(request), decoupled_refusal, std::move(routed)}, demand_ != nullptr);
}

void Inference::submit_background(InferRequestPtr request) {
  submit(Task{std::move(request), "a shadow's model gives one answer to a request, and this one gives any number", {}},
         /*may_wait=*/false);
}

void Inference::submit(Task task, bool may_wait) {
  InferRequest& request = *task.request;
  const auto pin = [&] { return catalog_.pin(request.model, request.version, request.label); };
  const auto pin_target = [&](const RouteTarget& target) {
    request.model = target.model;
    request.version = target.version;
    request.label = target.label;
    return pin();
  };
  Result<VersionPin> pinned = task.routed ? pin_along(*task.routed, catalog_, pin_target) : pin();
  if (pinned.ok()) return hand_over(std::move(pinned).value(), std::move(task));
  if (may_wait && loads_on_demand(request.model)) return wait(std::move(task));
  task.fail(pinned.status());
}

void Inference::wait(Task task) {
  const auto waiting = std::make_shared<Task>(std::move(task));
  const InferRequest& waited = *waiting->request;
  uint64_t bytes = 0;
  for (const Tensor& input : waited.inputs) bytes += input.byte_size();
  wait_for_model({waited.model, waited.deadline, waited.cancel, bytes, [this, waiting](const Status& status) {
                    if (status.ok()) return submit(std::move(*waiting), false);
                    // Along a route there may be another way.
                    if (waiting->routed && waiting->routed->give_up(status)) return submit(std::move(*waiting), true);
                    waiting->fail(status);
                  }});
}

void Inference::submit(VersionPin pin, InferRequestPtr request, const char* decoupled_refusal,
                       RoutedRequestPtr routed) {
  const bool elsewhere = routed && routed->choose_again(request->parameters);
  if (tracer_ != nullptr) tracer_->begin(routed ? routed->target().model : pin->name(), *request, routed);
  Task task{std::move(request), decoupled_refusal, std::move(routed)};
  if (elsewhere) return submit(std::move(task), demand_ != nullptr);
  hand_over(std::move(pin), std::move(task));
}

void Inference::hand_over(VersionPin pin, Task task) {
  if (task.routed && task.routed->is_hopeless()) return task.fail({});
  InferRequestPtr request = std::move(task.request);
  if (task.routed) task.routed->submitted_to(*pin, *request, task.decoupled_refusal);
  const Result<ModelVersion*> entry = entry_for(*pin, *request);
  if (!entry.ok()) {
    pin->stats().request_failed(request->times, FailureReason::kOther);
    return request->fail(entry.status());
  }
  ModelVersion& version = **entry;
  if (!version.signature().open && request->parameters.find(kOpenRequest) != nullptr)
    request->parameters = without_open_request(request->parameters);
  // Code with an open signature is told how it is asked, and gives one answer where one is wanted.
  const bool too_many = version.definition().decoupled && !version.signature().open;
  Status status = task.decoupled_refusal != nullptr && too_many ? unimplemented(task.decoupled_refusal)
                                                                : check_inputs(version, *request);
  if (!status.ok()) {
    version.stats().request_failed(request->times, FailureReason::kOther);
    request->fail(std::move(status));
    return;
  }
  version.samples().offer(*request);
  if (tracer_ != nullptr) tracer_->offer(version, *request);
  version.asked();
  std::move(pin).hand_to(*request);
  version.submit(std::move(request));
}

void Inference::cancelled(const std::string& model, int64_t version) { cancelled(RouteTarget{model, version, {}}); }

void Inference::cancelled(const RouteTarget& target) {
  const Result<VersionPin> pinned = catalog_.pin(target.model, target.version, target.label);
  if (pinned.ok()) {
    (*pinned)->drop_unwanted();
    for (const auto& [name, entry] : (*pinned)->other_signatures()) entry->drop_unwanted();
    return;
  }
  if (loads_on_demand(target.model)) demand_->expire(Clock::now());
}

}  // namespace modelmill
