#include "dialect/admin/grpc_control.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "base/check.h"
#include "base/client_network.h"
#include "base/json_text.h"
#include "dialect/admin/action_message.h"
#include "dialect/large_work.h"
#include "dialect/unary_proto.h"
#include "modelmill_admin.pb.h"

namespace modelmill::admin {
namespace {

using google::protobuf::Message;

/// Says what a request asks of its action: the names of its path, and its body.
using Read = Result<ActionCall> (*)(const Message&);

const Action& action_of(std::string_view method, std::string_view path) {
  const auto all = actions();
  const auto found = std::find_if(all.begin(), all.end(),
                                  [&](const Action& action) { return action.method == method && action.path == path; });
  MM_CHECK(found != all.end(), "each gRPC method of the administration has an action");
  return *found;
}

Result<ActionCall> call_of(std::vector<std::string> names, std::string body = {}) {
  ActionCall call{std::move(names), Bytes::from_string(std::move(body)), {}};
  return call;
}

Result<ActionCall> nothing(const Message&) { return call_of({}); }

template <typename Request>
Result<ActionCall> by_name(const Message& message) {
  return call_of({static_cast<const Request&>(message).name()});
}
template <typename Request>
Result<ActionCall> by_model(const Message& message) {
  return call_of({static_cast<const Request&>(message).model()});
}

/// The name is the path's, all else the body's.
template <typename Request>
Result<ActionCall> with_rest(const Message& message) {
  Request rest = static_cast<const Request&>(message);
  std::string name = std::move(*rest.mutable_name());
  rest.clear_name();
  MM_ASSIGN_OR_RETURN(std::string body, json_of(rest));
  return call_of({std::move(name)}, std::move(body));
}

template <typename Request>
Result<ActionCall> with_plan(const Message& message) {
  const auto& request = static_cast<const Request&>(message);
  MM_ASSIGN_OR_RETURN(std::string body, json_of(request.plan()));
  return call_of({request.name()}, std::move(body));
}

Result<ActionCall> with_route(const Message& message) {
  const v1::Route& route = static_cast<const v1::SetRouteRequest&>(message).route();
  MM_ASSIGN_OR_RETURN(std::string body, json_of(route));
  return call_of({route.name()}, std::move(body));
}

Result<ActionCall> of_label(const Message& message) {
  const auto& request = static_cast<const v1::DeleteLabelRequest&>(message);
  return call_of({request.model(), request.label()});
}

/// JSON of messages has large whole numbers as texts, so this is written by hand.
template <typename Request>
std::string assignment_json(const Request& request) {
  JsonWriter json;
  json.begin_object().field("version", int64_t{request.version()}).field("ahead", request.ahead()).end_object();
  return json.take();
}
Result<ActionCall> with_label(const Message& message) {
  const auto& request = static_cast<const v1::SetLabelRequest&>(message);
  return call_of({request.model(), request.label()}, assignment_json(request));
}
Result<ActionCall> with_default(const Message& message) {
  const auto& request = static_cast<const v1::SetDefaultVersionRequest&>(message);
  return call_of({request.model()}, assignment_json(request));
}

/// More than 10,000 outcomes, or any route, need.
constexpr size_t kMostRequestBytes = size_t{16} << 20;

/// A path of HTTP can't be without its names.
Status check_names(const Action& action, const ActionCall& call) {
  size_t name = 0;
  for (const std::string_view segment : segments_of(action)) {
    if (!segment.starts_with('{')) continue;
    if (call.names[name++].empty())
      return invalid_argument("the request does not name the " + std::string(segment.substr(1, segment.size() - 2)) +
                              "; set its name");
  }
  return ok_status();
}

/// Any thread.
void finish_on_loop(const std::shared_ptr<wire::GrpcCall>& call, const Status& status) {
  call->loop().post([call, status] { call->finish(status); });
}

/// Does what a request asks, and answers with the document that the action gives, or its error. Any thread.
template <typename Request, typename Response>
void answer(const Controls& controls, const Action& action, Read read, const std::shared_ptr<wire::GrpcCall>& call,
            const std::string& by, const Bytes& bytes) {
  Request request;
  if (!request.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())))
    return finish_on_loop(call, invalid_argument("the message does not parse as a " + request.GetTypeName()));
  Result<ActionCall> asked = read(request);
  const Status status = asked.ok() ? check_names(action, *asked) : asked.status();
  if (!status.ok()) return finish_on_loop(call, status);
  asked->by = by;
  begin_action(controls, action, *std::move(asked), [call](const Result<std::string>& json) {
    Response response;
    const Status done = json.ok() ? read_document(*json, response) : json.status();
    if (!done.ok()) return finish_on_loop(call, done);
    call->loop().post([call, message = serialise(response)] { call->reply(message); });
  });
}

class Binder {
 public:
  Binder(wire::GrpcMethods& methods, const Controls& controls) : methods_(methods), controls_(controls) {}

  /// `name` is "Routes/GetRoute".
  template <typename Request, typename Response>
  void add(const char* name, std::string_view method, std::string_view path, Read read) {
    const Action& action = action_of(method, path);
    bound_.push_back({&action, "/modelmill.admin.v1." + std::string(name)});
    const auto start = [controls = controls_, &action, read](const std::shared_ptr<wire::GrpcCall>& call,
                                                             const Bytes& bytes) {
      if (bytes.size() > kMostRequestBytes)
        return call->finish(invalid_argument("the message has " + std::to_string(bytes.size()) + " bytes; " +
                                             std::to_string(kMostRequestBytes) +
                                             " are the most of administration; send it in parts"));
      const std::string by(peer_address(call->peer()));
      if (controls.offload == nullptr || bytes.size() <= kLoopBytes)
        return answer<Request, Response>(controls, action, read, call, by, bytes);
      Controls here = controls;
      here.offload = nullptr;  // that is where it runs then
      const Status status = run_large(*controls.offload, [here, &action, read, call, by, bytes] {
        answer<Request, Response>(here, action, read, call, by, bytes);
      });
      if (!status.ok()) call->finish(status);
    };
    methods_.add(bound_.back().method, wire::unary_method(start), action.group);
  }

  std::vector<ActionMethod> bound() { return std::move(bound_); }

 private:
  wire::GrpcMethods& methods_;
  const Controls& controls_;
  std::vector<ActionMethod> bound_;
};

void add_models(Binder& to) {
  using namespace v1;
  constexpr const char* kLabel = "/admin/models/{model}/labels/{label}";
  constexpr const char* kDefault = "/admin/models/{model}/default";
  to.add<GetModelRequest, Model>("Models/GetModel", "GET", "/admin/models/{model}", by_model<GetModelRequest>);
  to.add<SetLabelRequest, Model>("Models/SetLabel", "PUT", kLabel, with_label);
  to.add<DeleteLabelRequest, Model>("Models/DeleteLabel", "DELETE", kLabel, of_label);
  to.add<SetDefaultVersionRequest, Model>("Models/SetDefaultVersion", "PUT", kDefault, with_default);
  to.add<DeleteDefaultVersionRequest, Model>("Models/DeleteDefaultVersion", "DELETE", kDefault,
                                             by_model<DeleteDefaultVersionRequest>);
}

void add_routes(Binder& to) {
  using namespace v1;
  constexpr const char* kRoute = "/admin/routes/{route}";
  to.add<ListRoutesRequest, ListRoutesResponse>("Routes/ListRoutes", "GET", "/admin/routes", nothing);
  to.add<GetRouteRequest, RouteState>("Routes/GetRoute", "GET", kRoute, by_name<GetRouteRequest>);
  to.add<SetRouteRequest, RouteState>("Routes/SetRoute", "PUT", kRoute, with_route);
  to.add<DeleteRouteRequest, RouteState>("Routes/DeleteRoute", "DELETE", kRoute, by_name<DeleteRouteRequest>);
  to.add<UndoRouteRequest, RouteState>("Routes/UndoRoute", "POST", "/admin/routes/{route}/undo",
                                       by_name<UndoRouteRequest>);
  to.add<GetRouteHistoryRequest, v1::RouteHistory>("Routes/GetRouteHistory", "GET", "/admin/routes/{route}/history",
                                                   by_name<GetRouteHistoryRequest>);
  to.add<GetRouteShadowsRequest, RouteShadows>("Routes/GetRouteShadows", "GET", "/admin/routes/{route}/shadow",
                                               by_name<GetRouteShadowsRequest>);
}

void add_rollouts(Binder& to) {
  using namespace v1;
  constexpr const char* kRollout = "/admin/rollouts/{rollout}";
  to.add<ListRolloutsRequest, ListRolloutsResponse>("Rollouts/ListRollouts", "GET", "/admin/rollouts", nothing);
  to.add<GetRolloutRequest, Rollout>("Rollouts/GetRollout", "GET", kRollout, by_name<GetRolloutRequest>);
  to.add<StartRolloutRequest, Rollout>("Rollouts/StartRollout", "POST", kRollout, with_plan<StartRolloutRequest>);
  to.add<GetRolloutHistoryRequest, RolloutHistory>(
      "Rollouts/GetRolloutHistory", "GET", "/admin/rollouts/{rollout}/history", by_name<GetRolloutHistoryRequest>);
  to.add<PauseRolloutRequest, Rollout>("Rollouts/PauseRollout", "POST", "/admin/rollouts/{rollout}/pause",
                                       by_name<PauseRolloutRequest>);
  to.add<ResumeRolloutRequest, Rollout>("Rollouts/ResumeRollout", "POST", "/admin/rollouts/{rollout}/resume",
                                        by_name<ResumeRolloutRequest>);
  to.add<AbortRolloutRequest, Rollout>("Rollouts/AbortRollout", "POST", "/admin/rollouts/{rollout}/abort",
                                       by_name<AbortRolloutRequest>);
  to.add<PromoteRolloutRequest, Rollout>("Rollouts/PromoteRollout", "POST", "/admin/rollouts/{rollout}/promote",
                                         by_name<PromoteRolloutRequest>);
}

void add_experiments(Binder& to) {
  using namespace v1;
  constexpr const char* kExperiment = "/admin/experiments/{experiment}";
  to.add<ListExperimentsRequest, ListExperimentsResponse>("Experiments/ListExperiments", "GET", "/admin/experiments",
                                                          nothing);
  to.add<GetExperimentRequest, Experiment>("Experiments/GetExperiment", "GET", kExperiment,
                                           by_name<GetExperimentRequest>);
  to.add<StartExperimentRequest, Experiment>("Experiments/StartExperiment", "POST", kExperiment,
                                             with_plan<StartExperimentRequest>);
  to.add<SendOutcomesRequest, OutcomeCounts>(
      "Experiments/SendOutcomes", "POST", "/admin/experiments/{experiment}/outcomes", with_rest<SendOutcomesRequest>);
  to.add<DeployExperimentRequest, Experiment>("Experiments/DeployExperiment", "POST",
                                              "/admin/experiments/{experiment}/deploy",
                                              with_rest<DeployExperimentRequest>);
  to.add<StopExperimentRequest, Experiment>("Experiments/StopExperiment", "POST",
                                            "/admin/experiments/{experiment}/stop", by_name<StopExperimentRequest>);
}

void add_ensembles(Binder& to) {
  using namespace v1;
  constexpr const char* kEnsemble = "/admin/ensembles/{ensemble}";
  to.add<ListEnsemblesRequest, ListEnsemblesResponse>("Ensembles/ListEnsembles", "GET", "/admin/ensembles", nothing);
  to.add<GetEnsembleRequest, Ensemble>("Ensembles/GetEnsemble", "GET", kEnsemble, by_name<GetEnsembleRequest>);
  to.add<SendFeedbackRequest, FeedbackCounts>("Ensembles/SendFeedback", "POST", "/admin/ensembles/{ensemble}/feedback",
                                              with_rest<SendFeedbackRequest>);
  to.add<SetWeightsRequest, Ensemble>("Ensembles/SetWeights", "POST", "/admin/ensembles/{ensemble}/weights",
                                      with_rest<SetWeightsRequest>);
  to.add<FreezeWeightsRequest, Ensemble>("Ensembles/FreezeWeights", "POST", "/admin/ensembles/{ensemble}/freeze",
                                         by_name<FreezeWeightsRequest>);
  to.add<UnfreezeWeightsRequest, Ensemble>("Ensembles/UnfreezeWeights", "POST", "/admin/ensembles/{ensemble}/unfreeze",
                                           by_name<UnfreezeWeightsRequest>);
  to.add<ResetWeightsRequest, Ensemble>("Ensembles/ResetWeights", "POST", "/admin/ensembles/{ensemble}/reset",
                                        by_name<ResetWeightsRequest>);
}

}  // namespace

std::vector<ActionMethod> add_control(wire::GrpcMethods& methods, const Controls& controls) {
  Binder binder(methods, controls);
  add_models(binder);
  add_routes(binder);
  add_rollouts(binder);
  add_experiments(binder);
  add_ensembles(binder);
  const google::protobuf::FileDescriptor* const file = v1::Model::descriptor()->file();
  for (int i = 0; i < file->service_count(); ++i) methods.describe(file->service(i));
  return binder.bound();
}

}  // namespace modelmill::admin
