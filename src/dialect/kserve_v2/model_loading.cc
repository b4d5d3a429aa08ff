#include "dialect/kserve_v2/model_loading.h"

#include <optional>
#include <utility>

#include "dialect/http_router.h"
#include "dialect/json_input.h"
#include "dialect/kserve_v2/grpc_control.h"
#include "dialect/large_work.h"
#include "dialect/unary_proto.h"
#include "wire/grpc_encoding.h"

namespace modelmill::kserve_v2 {
namespace {

constexpr std::string_view kFilePrefix = "file:";

Status refused() {
  return unavailable("explicit model load / unload is not allowed by this server; it has nobody who loads models");
}

Status wrong_type(std::string_view parameter, const char* type) {
  return invalid_argument("parameter '" + std::string(parameter) + "' of a load must be " + type);
}

Status unknown_parameter(std::string_view parameter) {
  return invalid_argument("unknown parameter '" + std::string(parameter) +
                          "' of a load; known are path, config, file:PATH and allow_breaking");
}

/// Of parameters that can't be given together.
Status check_together(const ModelLoad& load) {
  if (load.url.empty() || load.files.empty()) return ok_status();
  return invalid_argument("a load has either the parameter 'path' or files, not both");
}

Status set_parameter(ModelLoad& load, std::string_view name, simdjson::dom::element value) {
  std::string_view text;
  if (name == "allow_breaking")
    return value.get_bool().get(load.allow_breaking) == simdjson::SUCCESS ? ok_status() : wrong_type(name, "a boolean");
  if (name != "config" && name != "path" && !name.starts_with(kFilePrefix)) return unknown_parameter(name);
  if (value.get_string().get(text) != simdjson::SUCCESS) return wrong_type(name, "a string");
  if (name == "config" || name == "path") {
    (name == "path" ? load.url : load.config_json) = text;
    return ok_status();
  }
  auto bytes = wire::base64_decode(text);
  if (!bytes) return invalid_argument("parameter '" + std::string(name) + "' of a load is not base64");
  load.files.emplace(name.substr(kFilePrefix.size()), *std::move(bytes));
  return ok_status();
}

Status set_parameter(ModelLoad& load, const std::string& name, const inference::ModelRepositoryParameter& value) {
  using Choice = inference::ModelRepositoryParameter;
  if (name == "allow_breaking") {
    if (value.parameter_choice_case() != Choice::kBoolParam) return wrong_type(name, "a bool_param");
    load.allow_breaking = value.bool_param();
    return ok_status();
  }
  if (name == "config" || name == "path") {
    if (value.parameter_choice_case() != Choice::kStringParam) return wrong_type(name, "a string_param");
    (name == "path" ? load.url : load.config_json) = value.string_param();
    return ok_status();
  }
  if (!name.starts_with(kFilePrefix)) return unknown_parameter(name);
  if (value.parameter_choice_case() != Choice::kBytesParam) return wrong_type(name, "a bytes_param");
  load.files.emplace(name.substr(kFilePrefix.size()), value.bytes_param());
  return ok_status();
}

void reply_on_loop(const std::shared_ptr<wire::HttpExchange>& exchange, const Status& status) {
  exchange->loop().post([exchange, status] {
    wire::HttpReply reply;
    reply.status = 200;
    exchange->reply(status.ok() ? std::move(reply) : error_reply(status));
  });
}

/// Reads the body and loads; a large one not on the loop.
void load(ModelControl& control, const std::shared_ptr<wire::HttpExchange>& exchange, const std::string& model,
          const HttpOptions& options, std::optional<Result<Bytes>> body) {
  ModelLoad wanted;
  const Status status = within_memory([&]() -> Status {
    const wire::HttpRequest& http = exchange->request();
    if (!body) body = decode_body(http.body, http.header("content-encoding"), options.inflate);
    MM_RETURN_IF_ERROR(body->status());
    MM_ASSIGN_OR_RETURN(wanted, read_load(model, (*body)->view()));
    return ok_status();
  });
  if (!status.ok()) return reply_on_loop(exchange, status);
  control.load(std::move(wanted), [exchange](const Status& done) { reply_on_loop(exchange, done); });
}

constexpr const char* kUnloadDependents = "unload_dependents";

Status wrong_dependents() {
  return invalid_argument("parameter '" + std::string(kUnloadDependents) + "' of an unload must be a boolean");
}

/// Whether the members of an ensemble go with it.
Result<bool> read_dependents(std::string_view json) {
  if (json.empty()) return false;
  const ThreadJsonParser parser;
  const std::string text(json);
  const auto document = parse_json(*parser, text, text.size());
  if (!document.ok()) return document.status().with_context("failed to parse the request JSON buffer");
  simdjson::dom::element parameters, value;
  if ((*document).at_key("parameters").get(parameters) != simdjson::SUCCESS) return false;
  if (parameters.at_key(kUnloadDependents).get(value) != simdjson::SUCCESS) return false;
  bool dependents = false;
  if (value.get_bool().get(dependents) != simdjson::SUCCESS) return wrong_dependents();
  return dependents;
}

Result<bool> read_dependents(const inference::RepositoryModelUnloadRequest& request) {
  const auto it = request.parameters().find(kUnloadDependents);
  if (it == request.parameters().end()) return false;
  if (it->second.parameter_choice_case() != inference::ModelRepositoryParameter::kBoolParam) return wrong_dependents();
  return it->second.bool_param();
}

template <typename Request, typename Response, typename Start>
void add_method(wire::GrpcMethods& methods, const char* name, Start start) {
  add_unary_control<Request>(methods, method_path(name), Response(),
                             [start](const Request& request, const ModelControl::Done& done) {
                               if (!request.repository_name().empty())
                                 return done(unimplemented("'repository_name' specification is not supported"));
                               start(request, done);
                             });
}

}  // namespace

Result<ModelLoad> read_load(const std::string& model, std::string_view json) {
  ModelLoad load{model};
  if (json.empty()) return load;
  const ThreadJsonParser parser;
  const std::string text(json);
  const auto document = parse_json(*parser, text, text.size());
  if (!document.ok()) return document.status().with_context("failed to parse the request JSON buffer");
  simdjson::dom::element parameters;
  if ((*document).at_key("parameters").get(parameters) != simdjson::SUCCESS) return load;
  simdjson::dom::object object;
  if (parameters.get_object().get(object) != simdjson::SUCCESS)
    return invalid_argument("'parameters' of a load must be an object");
  for (const auto& [name, value] : object) MM_RETURN_IF_ERROR(set_parameter(load, name, value));
  MM_RETURN_IF_ERROR(check_together(load));
  return load;
}

Result<ModelLoad> read_load(const inference::RepositoryModelLoadRequest& request) {
  ModelLoad load{request.model_name()};
  for (const auto& [name, value] : request.parameters()) MM_RETURN_IF_ERROR(set_parameter(load, name, value));
  MM_RETURN_IF_ERROR(check_together(load));
  return load;
}

void handle_http_load(ModelControl* control, std::shared_ptr<wire::HttpExchange> exchange, const std::string& model,
                      const HttpOptions& options) {
  if (control == nullptr) return exchange->reply(error_reply(refused()));
  std::optional<Result<Bytes>> body = decode_on_loop(exchange->request(), options);
  const bool large = !body || (body->ok() && (*body)->size() > kLoopBytes);
  if (!large || options.offload == nullptr) return load(*control, exchange, model, options, std::move(body));
  const Status status = run_large(*options.offload, [control, exchange, model, options, body = std::move(body)] {
    load(*control, exchange, model, options, body);
  });
  if (!status.ok()) exchange->reply(error_reply(status));
}

void handle_http_unload(ModelControl* control, std::shared_ptr<wire::HttpExchange> exchange, const std::string& model,
                        const HttpOptions& options) {
  if (control == nullptr) return exchange->reply(error_reply(refused()));
  const wire::HttpRequest& http = exchange->request();
  if (http.body.size() > kLoopBytes)
    return exchange->reply(
        error_reply(invalid_argument("the body of an unload has " + std::to_string(http.body.size()) +
                                     " bytes, at most " + std::to_string(kLoopBytes) + " are read")));
  const auto body = decode_body(http.body, http.header("content-encoding"), options.inflate);
  const Result<bool> dependents = body.ok() ? read_dependents(body->view()) : Result<bool>(body.status());
  if (!dependents.ok()) return exchange->reply(error_reply(dependents.status()));
  control->unload({.model = model, .with_members = *dependents},
                  [exchange](const Status& done) { reply_on_loop(exchange, done); });
}

void add_loading_methods(wire::GrpcMethods& methods, ModelControl* control) {
  using namespace inference;
  using Reply = ModelControl::Done;
  add_method<RepositoryModelLoadRequest, RepositoryModelLoadResponse>(
      methods, "RepositoryModelLoad", [control](const RepositoryModelLoadRequest& request, const Reply& reply) {
        auto load = read_load(request);
        if (control == nullptr || !load.ok()) return reply(control == nullptr ? refused() : load.status());
        control->load(*std::move(load), reply);
      });
  add_method<RepositoryModelUnloadRequest, RepositoryModelUnloadResponse>(
      methods, "RepositoryModelUnload", [control](const RepositoryModelUnloadRequest& request, const Reply& reply) {
        if (control == nullptr) return reply(refused());
        const Result<bool> dependents = read_dependents(request);
        if (!dependents.ok()) return reply(dependents.status());
        control->unload({.model = request.model_name(), .with_members = *dependents}, reply);
      });
}

}  // namespace modelmill::kserve_v2
