#include "dialect/mlserver/route_call.h"

#include <cstring>
#include <utility>

#include "base/json_text.h"
#include "dialect/http_infer_call.h"
#include "dialect/http_router.h"
#include "dialect/json_input.h"
#include "dialect/kserve_v2/open_answer.h"
#include "request/open_parameter.h"

namespace modelmill::mlserver {
namespace {

/// Of an element of bytes, whose length stands before it.
constexpr size_t kLength = sizeof(uint32_t);
constexpr const char* kBody = "body";

/// What the code is told of a request, but for its body.
std::string asked_of(const wire::HttpRequest& request) {
  JsonWriter json;
  json.begin_object().key("route").begin_object();
  json.field("method", request.method).field("path", request.path).field("query", request.query);
  json.field("peer", request.peer).field("scheme", request.tls ? "https" : "http").key("headers").begin_array();
  for (const auto& [name, value] : request.headers)
    // The body comes decoded and whole.
    if (name != "content-encoding" && name != "content-length" && name != "transfer-encoding")
      json.begin_array().value(name).value(value).end_array();
  return json.end_array().end_object().end_object().take();
}

/// Status and headers, as the code has them.
void read_head(const std::string& text, wire::HttpReply& reply) {
  const ThreadJsonParser parser;
  const auto document = parse_json(*parser, text, text.size());
  if (!document.ok()) return;
  int64_t status = 0;
  if (document->at_key("status").get(status) == simdjson::SUCCESS && status >= 200 && status <= 599)
    reply.status = static_cast<int>(status);
  simdjson::dom::array headers;
  if (document->at_key("headers").get(headers) != simdjson::SUCCESS) return;
  for (const simdjson::dom::element header : headers) {
    std::string_view name, value;
    if (header.at(0).get(name) == simdjson::SUCCESS && header.at(1).get(value) == simdjson::SUCCESS)
      reply.headers.emplace_back(name, value);
  }
}

/// One request.
class RouteCall final : public HttpInferCall {
 public:
  using HttpInferCall::HttpInferCall;

 private:
  Status parse(const Bytes& body, const ModelVersion&, InferRequest& request) override {
    if (body.size() > UINT32_MAX) return invalid_argument("the body is larger than 4 GiB; send it in parts");
    fill_route_request(asked_of(http()), body, request);
    return ok_status();
  }
  wire::HttpReply write(InferResponse response) override {
    if (!response.status.ok()) {
      const auto said = kserve_v2::OpenAnswer::take(response);
      wire::HttpReply reply = error_reply(response.status);
      if (said) said->mark(reply, true);
      return reply;
    }
    const std::optional<Bytes> body = route_answer(response);
    if (!body) return error_reply(internal("the model's code gave no answer"));
    wire::HttpReply reply;
    if (const ParameterValue* head = response.parameters.find("modelmill_route"))
      if (const auto* text = std::get_if<std::string>(head)) read_head(*text, reply);
    reply.body.push_back(*body);
    return reply;
  }
};

}  // namespace

void fill_route_request(const std::string& asked, const Bytes& body, InferRequest& request) {
  const auto length = static_cast<uint32_t>(body.size());
  MemoryRef memory = Memory::allocate(kLength + body.size());
  std::memcpy(memory->data(), &length, kLength);
  if (length > 0) std::memcpy(memory->data() + kLength, body.data(), length);
  Tensor tensor;
  tensor.name = kBody;
  tensor.dtype = DataType::kBytes;
  tensor.shape.push_back(1);
  tensor.data.emplace_back(std::move(memory));
  request.inputs.push_back(std::move(tensor));
  request.parameters.set(std::string(kOpenRequest), asked);
  request.keepable = false;  // of its paths the code may make what it likes
}

std::optional<Bytes> route_answer(const InferResponse& response) {
  if (response.outputs.size() != 1 || response.outputs[0].dtype != DataType::kBytes) return std::nullopt;
  const Bytes all = response.outputs[0].contiguous();
  if (all.size() < kLength) return std::nullopt;
  return all.slice(kLength, all.size() - kLength);
}

void answer_route(Inference& inference, std::shared_ptr<wire::HttpExchange> exchange, VersionPin pin,
                  const HttpOptions& options) {
  const std::string model = pin->name();
  std::make_shared<RouteCall>(inference, std::move(exchange), model)->start(std::move(pin), options);
}

}  // namespace modelmill::mlserver
