#include "dialect/predict/service.h"

#include <utility>

#include "base/json_text.h"
#include "dialect/http_infer_call.h"
#include "dialect/http_router.h"
#include "dialect/method_check.h"
#include "dialect/model_path.h"
#include "dialect/model_wait.h"
#include "dialect/predict/reply_codec.h"
#include "dialect/predict/request_codec.h"
#include "dialect/predict/sample.h"
#include "dialect/requested_outputs.h"
#include "dialect/route_facts.h"
#include "dialect/version_text.h"

namespace modelmill::predict {
namespace {

std::string base_url(const wire::HttpRequest& request) {
  std::string_view host = request.header("host");
  if (host.empty()) host = request.header(":authority");
  return (request.tls ? "https://" : "http://") + std::string(host.empty() ? "localhost:8000" : host);
}

void write_specs(JsonWriter& json, const char* key, const std::vector<TensorSpec>& specs) {
  json.key(key).begin_array();
  for (const TensorSpec& spec : specs) {
    json.begin_object().field("name", spec.name).field("datatype", dtype_name(spec.dtype));
    json.key("shape").begin_array();
    for (const int64_t size : spec.shape) json.value(size);
    json.end_array().end_object();
  }
  json.end_array();
}

/// An error with what the model takes and a command that works.
wire::HttpReply teaching_reply(const Status& status, const Signature& signature, const std::string& example) {
  JsonWriter json;
  json.begin_object().field("error", status.message());
  write_specs(json, "inputs", signature.inputs);
  json.field("example", example).end_object();
  return json_reply(http_status(status.code()), json.take() + "\n");
}

std::string spec_lines(const std::vector<TensorSpec>& specs) {
  std::string text;
  for (const TensorSpec& spec : specs) {
    text += "  " + spec.name + "  " + std::string(dtype_name(spec.dtype)) + " " + shape_text(dims(spec.shape)) +
            (spec.optional ? "  (optional)\n" : "\n");
  }
  return text;
}

std::string usage(const ModelVersion& version, const std::string& example) {
  return "model " + version.name() + ", version " + std::to_string(version.version()) +
         "\n\nInputs (-1 is any size)\n" + spec_lines(version.signature().inputs) + "\nOutputs\n" +
         spec_lines(version.signature().outputs) +
         "\nSend a JSON object with a value for each input, CSV (text/csv), or a .npy file (application/x-npy).\n"
         "Accept: text/csv or application/x-npy gives one output in that form (?output=NAME names it).\n\n  " +
         example + "\n";
}

/// The values of `output` in a query such as "output=a&output=b".
Status requested_outputs(std::string_view query, InferRequest& request) {
  while (!query.empty()) {
    const size_t end = query.find('&');
    const std::string_view item = query.substr(0, end);
    query.remove_prefix(end == std::string_view::npos ? query.size() : end + 1);
    if (!item.starts_with("output=")) {
      return invalid_argument("'" + std::string(item) + "' is no parameter of this path; output=NAME is");
    }
    MM_ASSIGN_OR_RETURN(const std::vector<std::string> name, split_path(item.substr(7)));
    std::string joined;
    for (const std::string& segment : name) joined += (joined.empty() ? "" : "/") + segment;
    request.outputs.push_back({std::move(joined)});
  }
  return ok_status();
}

/// One question; who asks it wrongly is told how to.
class PredictCall final : public HttpInferCall {
 public:
  /// `version`: whom is asked; null: nobody can be.
  PredictCall(Inference& inference, std::shared_ptr<wire::HttpExchange> exchange, const ModelVersion* version,
              std::string model)
      : HttpInferCall(inference, std::move(exchange), std::move(model)),
        signature_(version == nullptr ? Signature() : version->signature()),
        example_(version == nullptr ? std::string() : sample_curl(base_url(http()), *version)),
        format_(choose_format(http().header("accept"))) {}

 private:
  Status parse(const Bytes& body, const ModelVersion& version, InferRequest& request) override;
  wire::HttpReply write(InferResponse response) override;

  const Signature signature_;
  const std::string example_;
  const Format format_;
  bool added_dimension_ = false;
  boost::container::small_vector<RequestedOutput, 2> requested_;
};

Status PredictCall::parse(const Bytes& body, const ModelVersion&, InferRequest& request) {
  request.id = http().header("x-request-id");
  MM_RETURN_IF_ERROR(requested_outputs(http().query, request));
  requested_ = request.outputs;
  return parse_inputs(body, detect_format(http().header("content-type"), body.view()), signature_, request,
                      added_dimension_);
}

wire::HttpReply PredictCall::write(InferResponse response) {
  if (response.status.ok()) keep_requested(requested_, response);
  Status status = response.status;
  if (status.ok()) {
    Result<wire::HttpReply> reply = write_reply(std::move(response), format_, added_dimension_);
    if (reply.ok()) return std::move(reply).value();
    status = reply.status();
  }
  return status.code() == Code::kInvalidArgument ? teaching_reply(status, signature_, example_) : error_reply(status);
}

void handle(Inference& inference, const HttpOptions& options, std::shared_ptr<wire::HttpExchange> exchange) {
  const wire::HttpRequest& request = exchange->request();
  if (request.method != "GET" && request.method != "POST") return exchange->reply(wrong_method("GET, POST"));
  const Result<ModelPath> target = parse_model_path(request.path);
  if (!target.ok()) {
    exchange->reply(error_reply(target.status()));
    return;
  }
  RoutedRequestPtr routed = target->version.empty() ? inference.route(target->model, facts_of(request)) : nullptr;
  Result<VersionPin> pin = pin_path_version(inference.catalog(), target->model, target->version, routed);
  if (!pin.ok()) {
    const std::string& asked = routed ? routed->target().model : target->model;
    if (inference.loads_on_demand(asked))
      return wait_for_model(inference, exchange, asked,
                            [&inference, options](auto again) { handle(inference, options, std::move(again)); });
    if (routed && request.method == "POST")  // the route may have an answer of its own
      return std::make_shared<PredictCall>(inference, exchange, nullptr, target->model)
          ->start(std::move(pin), options, std::move(routed));
    exchange->reply(error_reply(pin.status()));
  } else if (request.method == "GET") {
    const std::string example = sample_curl(base_url(request), **pin);
    wire::HttpReply reply = wire::HttpReply::text(200, "text/plain; charset=utf-8", usage(**pin, example));
    compress_reply(reply, request);
    exchange->reply(std::move(reply));
  } else {
    const auto call = std::make_shared<PredictCall>(inference, exchange, &**pin, target->model);
    call->start(std::move(pin), options, std::move(routed));
  }
}

}  // namespace

wire::HttpHandler make_handler(Inference& inference, HttpOptions options) {
  return [&inference, options = std::move(options)](std::shared_ptr<wire::HttpExchange> exchange) {
    handle(inference, options, std::move(exchange));
  };
}

wire::ApiGroup http_api_group(const wire::HttpRequest& request) {
  return request.method == "GET" ? wire::ApiGroup::kMetadata : wire::ApiGroup::kInference;
}

}  // namespace modelmill::predict
