#include "dialect/kserve_v2/http_infer.h"

#include <charconv>
#include <utility>

#include "dialect/http_infer_call.h"
#include "dialect/http_router.h"
#include "dialect/kserve_v2/http_infer_codec.h"
#include "dialect/kserve_v2/infer_request_codec.h"
#include "dialect/version_text.h"
#include "serve/input_check.h"

namespace modelmill::kserve_v2 {
namespace {

/// One infer request of the V2 API.
class V2Call final : public HttpInferCall {
 public:
  V2Call(Inference& inference, std::shared_ptr<wire::HttpExchange> exchange, std::string model,
         const SharedRegions& regions)
      : HttpInferCall(inference, std::move(exchange), std::move(model)), shared_(&regions) {}

 private:
  Status parse(const Bytes& body, const ModelVersion& version, InferRequest& request) override;
  wire::HttpReply write(InferResponse response) override;
  Status fetch(InferRequest& request) override { return shared_.read_inputs(request); }
  size_t parsed_bytes(const Bytes& body) const override;
  size_t fetched_bytes() const override { return shared_.input_bytes(); }
  size_t written_bytes(const InferResponse& response) const override;
  const char* many_answers() const override {
    return "HTTP end point doesn't support models with decoupled transaction policy";
  }

  std::string id_;
  HttpOutputs outputs_;
  SharedTensors shared_;
};

/// The length of the JSON in front of the body.
Status read_header_length(const wire::HttpRequest& request, size_t body_size, size_t& length) {
  const std::string_view text = request.header("inference-header-content-length");
  length = body_size;
  if (text.empty()) return ok_status();
  int64_t parsed = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), parsed);
  if (error != std::errc() || end != text.data() + text.size()) {
    return invalid_argument("Unable to parse Inference-Header-Content-Length, got: " + std::string(text));
  }
  if (parsed < 0 || static_cast<uint64_t>(parsed) > body_size) {
    return invalid_argument("inference header size should be in range (0, " + std::to_string(body_size) +
                            "), got: " + std::string(text));
  }
  length = static_cast<size_t>(parsed);
  return ok_status();
}

/// How much of the body is JSON; what is behind it is not read but viewed.
size_t V2Call::parsed_bytes(const Bytes& body) const {
  size_t length = 0;
  return read_header_length(http(), body.size(), length).ok() ? length : 0;
}

Status V2Call::parse(const Bytes& body, const ModelVersion& version, InferRequest& request) {
  size_t header_length = 0;
  MM_RETURN_IF_ERROR(read_header_length(http(), body.size(), header_length));
  if (header_length == 0 && !http().header("inference-header-content-length").empty()) {
    outputs_.default_form = HttpForm::kBinary;
    return parse_http_raw(body, model(), version.signature(), has_batch_dimension(version.definition()), request);
  }
  Status status = parse_http_infer(body, header_length, request, outputs_, shared_);
  id_ = request.id;
  return status;
}

/// Binary data is only passed on, unless it is to be compressed.
size_t V2Call::written_bytes(const InferResponse& response) const {
  size_t bytes = 0;
  for (const Tensor& tensor : response.outputs) {
    if (!encoding().empty() || outputs_.form(tensor.name) != HttpForm::kBinary) bytes += tensor.byte_size();
  }
  return bytes;
}

wire::HttpReply V2Call::write(InferResponse response) {
  if (!response.status.ok()) return error_reply(response.status);
  const Status selected = select_outputs(inference().catalog(), served_model(), outputs_.requested, response);
  if (!selected.ok()) return error_reply(selected);
  if (const Status written = shared_.write_outputs(response); !written.ok()) return error_reply(written);
  if (routed()) routed()->describe(response.parameters);
  const int64_t answered = response.version != 0 ? response.version : version();
  return write_http_infer(response, model(), answered, id_, outputs_);
}

}  // namespace

void handle_http_infer(Inference& inference, std::shared_ptr<wire::HttpExchange> exchange, std::string model,
                       std::string_view version, const HttpOptions& options, RoutedRequestPtr routed,
                       const SharedRegions& regions) {
  Result<VersionPin> pin = pin_path_version(inference.catalog(), model, version, routed);
  std::make_shared<V2Call>(inference, std::move(exchange), std::move(model), regions)
      ->start(std::move(pin), options, std::move(routed));
}

}  // namespace modelmill::kserve_v2
