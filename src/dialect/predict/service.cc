#include "dialect/predict/service.h"

#include <optional>
#include <utility>

#include "base/json_text.h"
#include "dialect/http_router.h"
#include "dialect/large_work.h"
#include "dialect/model_path.h"
#include "dialect/model_wait.h"
#include "dialect/predict/reply_codec.h"
#include "dialect/predict/request_codec.h"
#include "dialect/predict/sample.h"
#include "dialect/requested_outputs.h"
#include "dialect/server_timing.h"
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

/// One question: the sink of its answer, which is written on the thread it comes on and sent on the loop.
class PredictCall final : public ResponseSink, public std::enable_shared_from_this<PredictCall> {
 public:
  PredictCall(Inference& inference, std::shared_ptr<wire::HttpExchange> exchange)
      : inference_(inference), exchange_(std::move(exchange)) {}

  void start(const ModelPath& target, VersionPin pin, const HttpOptions& options);
  void on_response(InferResponse response, bool final, bool has_response) override;

 private:
  void abandon() {
    cancel_.cancel(CancelToken::Reason::kClientGone);
    inference_.cancelled(model_, version_);
  }
  void read(std::optional<Result<Bytes>> body, const HttpOptions& options);
  bool is_large_answer() const;
  void answer();
  wire::HttpReply write();
  wire::HttpReply write_answer();

  Inference& inference_;
  const std::shared_ptr<wire::HttpExchange> exchange_;
  std::string model_;
  int64_t version_ = 0;
  Signature signature_;
  std::string example_;
  Format format_ = Format::kJson;
  std::string encoding_;  // of the reply's body; empty: none
  bool added_dimension_ = false;
  bool timed_ = false;
  Offload* offload_ = nullptr;
  CancelToken cancel_;
  VersionPin pin_;           // until it is read
  InferRequestPtr request_;  // the same
  boost::container::small_vector<RequestedOutput, 2> requested_;
  int responses_ = 0;
  InferResponse response_;
};

void PredictCall::start(const ModelPath& target, VersionPin pin, const HttpOptions& options) {
  const ModelVersion& version = *pin;
  const wire::HttpRequest& http = exchange_->request();
  timed_ = options.server_timing || asks_timing(http);
  offload_ = options.offload;
  exchange_->on_abandoned([weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->abandon();
  });
  model_ = target.model;
  version_ = version.version();
  signature_ = version.signature();
  example_ = sample_curl(base_url(http), version);
  format_ = choose_format(http.header("accept"));
  encoding_ = choose_encoding(http.header("accept-encoding"));
  request_ = std::make_unique<InferRequest>(shared_from_this());
  request_->model = target.model;
  request_->trace = http.trace;
  request_->version = version.version();
  request_->id = http.header("x-request-id");
  request_->cancel = std::shared_ptr<CancelToken>(shared_from_this(), &cancel_);
  pin_ = std::move(pin);
  std::optional<Result<Bytes>> body = decode_on_loop(http, options);
  const bool large = !body || (body->ok() && (*body)->size() > kLoopBytes);
  if (!large || offload_ == nullptr) return read(std::move(body), options);
  const Status status =
      run_large(*offload_, [self = shared_from_this(), body = std::move(body), options] { self->read(body, options); });
  if (!status.ok()) std::exchange(request_, nullptr)->fail(status);
}

void PredictCall::read(std::optional<Result<Bytes>> body, const HttpOptions& options) {
  InferRequestPtr request = std::move(request_);
  Status status = within_memory([&]() -> Status {
    const wire::HttpRequest& http = exchange_->request();
    MM_RETURN_IF_ERROR(requested_outputs(http.query, *request));
    if (!body) body = decode_body(http.body, http.header("content-encoding"), options.inflate);
    MM_RETURN_IF_ERROR(body->status());
    return parse_inputs(**body, detect_format(http.header("content-type"), (*body)->view()), signature_, *request,
                        added_dimension_);
  });
  request->times.received = Clock::now();
  if (status.ok() && request->cancelled()) status = cancelled("the client has gone away");
  if (!status.ok()) return request->fail(std::move(status));
  requested_ = request->outputs;
  inference_.submit(std::move(pin_), std::move(request),
                    "this model gives any number of answers to a request; ask it by gRPC ModelStreamInfer or by POST "
                    "/v2/models/MODEL/generate_stream");
}

void PredictCall::on_response(InferResponse response, bool final, bool has_response) {
  if (has_response && ++responses_ == 1) response_ = std::move(response);
  if (!final) return;
  const bool on_loop = exchange_->loop().on_thread();
  if (on_loop && offload_ != nullptr && is_large_answer() &&
      offload_->run([self = shared_from_this()] { self->answer(); })) {
    return;
  }
  answer();
}

/// Whether writing it is more than a loop should do.
bool PredictCall::is_large_answer() const {
  size_t bytes = 0;
  for (const Tensor& tensor : response_.outputs) bytes += tensor.byte_size();
  return bytes > kLoopBytes;
}

void PredictCall::answer() {
  wire::HttpReply reply = write();
  wire::Loop& loop = exchange_->loop();
  if (loop.on_thread()) {
    exchange_->reply(std::move(reply));
  } else {
    loop.post(
        [self = shared_from_this(), reply = std::move(reply)]() mutable { self->exchange_->reply(std::move(reply)); });
  }
}

wire::HttpReply PredictCall::write() {
  const RequestTimes times = response_.times;
  wire::HttpReply reply = write_answer();
  compress_reply(reply, encoding_);
  if (timed_) reply.headers.emplace_back("Server-Timing", server_timing(times, Clock::now()));
  return reply;
}

wire::HttpReply PredictCall::write_answer() {
  if (responses_ != 1) response_.status = internal("expected a single response, got " + std::to_string(responses_));
  if (response_.status.ok()) keep_requested(requested_, response_);
  if (response_.status.ok()) {
    Result<wire::HttpReply> reply = write_reply(std::move(response_), format_, added_dimension_);
    if (reply.ok()) return std::move(reply).value();
    response_ = {};
    response_.status = reply.status();
  }
  if (response_.status.code() != Code::kInvalidArgument) return error_reply(response_.status);
  return teaching_reply(response_.status, signature_, example_);
}

void handle(Inference& inference, const HttpOptions& options, std::shared_ptr<wire::HttpExchange> exchange) {
  const wire::HttpRequest& request = exchange->request();
  if (request.method != "GET" && request.method != "POST") {
    wire::HttpReply reply = json_reply(405, R"({"error":"Method Not Allowed"})");
    reply.headers.emplace_back("Allow", "GET, POST");
    exchange->reply(std::move(reply));
    return;
  }
  const Result<ModelPath> target = parse_model_path(request.path);
  if (!target.ok()) {
    exchange->reply(error_reply(target.status()));
    return;
  }
  Result<VersionPin> pin = pin_path_version(inference.catalog(), target->model, target->version);
  if (!pin.ok()) {
    if (inference.loads_on_demand(target->model))
      return wait_for_model(inference, exchange, target->model,
                            [&inference, options](auto again) { handle(inference, options, std::move(again)); });
    exchange->reply(error_reply(pin.status()));
  } else if (request.method == "GET") {
    const std::string example = sample_curl(base_url(request), **pin);
    wire::HttpReply reply = wire::HttpReply::text(200, "text/plain; charset=utf-8", usage(**pin, example));
    compress_reply(reply, request);
    exchange->reply(std::move(reply));
  } else {
    std::make_shared<PredictCall>(inference, exchange)->start(*target, *std::move(pin), options);
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
