#include "dialect/torchserve/open_api.h"

#include <span>
#include <string_view>
#include <vector>

#include "base/json_text.h"
#include "dialect/torchserve/infer_codec.h"

namespace modelmill::torchserve {
namespace {

struct Parameter {
  std::string_view name, type;
  bool in_path = false;
  bool required = false;
};

struct Operation {
  std::string_view path, method, id, summary;
  std::vector<Parameter> parameters;
  std::vector<int> statuses;
  bool has_body = false;
};

const Parameter kModel{"model_name", "string", true, true};
const Parameter kVersion{"model_version", "string", true, true};

std::vector<Parameter> registration_parameters() {
  return {{"url", "string", false, true},  {"model_name", "string"},       {"batch_size", "integer"},
          {"max_batch_delay", "integer"},  {"initial_workers", "integer"}, {"synchronous", "boolean"},
          {"response_timeout", "integer"}, {"startup_timeout", "integer"}};
}

const std::vector<Operation>& operations() {
  static const std::vector<int> asked{200, 400, 404, 500, 503};
  static const std::vector<Operation> all = {
      {"/", "options", "apiDescription", "These descriptions.", {}, {200}},
      {"/api-description", "get", "apiDescriptionByGet", "These descriptions.", {}, {200}},
      {"/ping", "get", "ping", "Whether every model is served.", {}, {200, 500}},
      {"/predictions/{model_name}", "post", "predictions", "Asks a model.", {kModel}, asked, true},
      {"/predictions/{model_name}/{model_version}",
       "post",
       "version_predictions",
       "Asks a version of a model.",
       {kModel, kVersion},
       asked,
       true},
      {"/explanations/{model_name}",
       "post",
       "explanations",
       "Asks a handler to explain.",
       {kModel},
       {200, 400, 404, 500, 501, 503},
       true},
      {"/models",
       "get",
       "listModels",
       "The models that are served.",
       {{"limit", "integer"}, {"next_page_token", "integer"}},
       {200}},
      {"/models",
       "post",
       "registerModel",
       "Serves a model.",
       registration_parameters(),
       {200, 202, 400, 404, 409, 503}},
      {"/models/{model_name}",
       "get",
       "describeModel",
       "A model and its workers.",
       {kModel, {"customized", "boolean"}},
       {200, 404}},
      {"/models/{model_name}",
       "put",
       "setAutoScale",
       "Changes the number of workers.",
       {kModel, {"min_worker", "integer"}, {"max_worker", "integer"}, {"synchronous", "boolean"}},
       {200, 202, 400, 404}},
      {"/models/{model_name}", "delete", "unregisterModel", "Takes a model from clients.", {kModel}, {200, 403, 404}},
      {"/models/{model_name}/{model_version}/set-default",
       "put",
       "setDefault",
       "The version of requests that name none.",
       {kModel, kVersion},
       {200, 404}},
  };
  return all;
}

void begin_document(JsonWriter& json, const std::string& server_version) {
  json.begin_object().field("openapi", "3.0.1").key("info").begin_object();
  json.field("title", "modelmill's TorchServe protocol").field("version", server_version).end_object();
  json.key("paths").begin_object();
}

void write_operation(JsonWriter& json, const Operation& operation, std::string_view body_type) {
  json.key(operation.method).begin_object().field("operationId", operation.id).field("summary", operation.summary);
  if (!operation.parameters.empty()) json.key("parameters").begin_array();
  for (const Parameter& parameter : operation.parameters) {
    json.begin_object().field("name", parameter.name).field("in", parameter.in_path ? "path" : "query");
    json.field("required", parameter.required).key("schema").begin_object().field("type", parameter.type).end_object();
    json.end_object();
  }
  if (!operation.parameters.empty()) json.end_array();
  if (operation.has_body) {
    json.key("requestBody").begin_object().field("required", true).key("content").begin_object();
    json.key(body_type).begin_object().end_object().end_object().end_object();
  }
  json.key("responses").begin_object();
  for (const int status : operation.statuses)
    json.key(std::to_string(status))
        .begin_object()
        .field("description", status < 300 ? "Done" : "An error")
        .end_object();
  json.end_object().end_object();
}

}  // namespace

std::string describe_all(const std::string& server_version) {
  JsonWriter json;
  begin_document(json, server_version);
  std::string_view path;
  for (const Operation& operation : operations()) {
    if (operation.path != path) {
      if (!path.empty()) json.end_object();
      path = operation.path;
      json.key(path).begin_object();
    }
    write_operation(json, operation, "*/*");
  }
  json.end_object().end_object().end_object();
  return json.take();
}

std::string describe_model(const std::string& server_version, const std::string& model, const ModelVersion& version) {
  JsonWriter json;
  begin_document(json, server_version);
  for (const std::string_view kind : {"predictions", "explanations"}) {
    const bool is_handler = takes_bodies(version);
    if (kind == "explanations" && !is_handler) continue;
    const std::string id(kind);
    const Operation operation{"", "post", id, "Asks this model.", {}, {200, 400, 404, 500, 503}, true};
    json.key("/" + id + "/" + model).begin_object();
    write_operation(json, operation, is_handler ? "*/*" : "application/json");
    json.end_object();
  }
  json.end_object().end_object();
  return json.take();
}

}  // namespace modelmill::torchserve
