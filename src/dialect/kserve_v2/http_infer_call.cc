#include "dialect/kserve_v2/http_infer_call.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "dialect/http_router.h"
#include "dialect/kserve_v2/infer_request_codec.h"
#include "serve/input_check.h"
#include "wire/http_text.h"

namespace modelmill::kserve_v2 {

namespace {

constexpr std::string_view kLengthHeader = "inference-header-content-length";

/// `text`, which is no more than a body has; `what` is its name in Triton's words.
Result<std::optional<size_t>> read_length(std::string_view text, std::string_view what, size_t body_size) {
  int64_t parsed = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), parsed);
  if (error != std::errc() || end != text.data() + text.size())
    return invalid_argument("Unable to parse " + std::string(what) + ", got: " + std::string(text));
  if (parsed < 0 || static_cast<uint64_t>(parsed) > body_size)
    return invalid_argument("inference header size should be in range (0, " + std::to_string(body_size) +
                            "), got: " + std::string(text));
  return std::optional<size_t>(static_cast<size_t>(parsed));
}

/// Says the length of the JSON in the media type: for SageMaker, which passes no other header on, instead of its
/// header.
void name_binary_type(wire::HttpReply& reply, std::string_view type) {
  const auto is_length = [](const auto& header) { return wire::equals_ignoring_case(header.first, kLengthHeader); };
  const auto length = std::find_if(reply.headers.begin(), reply.headers.end(), is_length);
  if (length == reply.headers.end()) return;  // there are no tensors behind the JSON
  const std::string text = std::string(type) + length->second;
  if (type == kSageMakerBinary) reply.headers.erase(length);
  for (auto& [name, value] : reply.headers)
    if (wire::equals_ignoring_case(name, "content-type")) value = text;
}

}  // namespace

bool V2Call::tells_json_length() const { return !sent_type_.empty() || !http().header(kLengthHeader).empty(); }

std::string_view V2Call::answer_type() const {
  return unsaid_type_.empty() || tells_json_length() ? sent_type_ : unsaid_type_;
}

/// Nothing: the body is JSON.
Result<std::optional<size_t>> V2Call::json_length(size_t body_size) const {
  if (const std::string_view text = http().header(kLengthHeader); !text.empty())
    return read_length(text, "Inference-Header-Content-Length", body_size);
  if (sent_type_.empty()) return std::optional<size_t>();
  return read_length(http().header("content-type").substr(sent_type_.size()), "inference header size", body_size);
}

/// How much of the body is JSON; what is behind it is not read but viewed.
size_t V2Call::parsed_bytes(const Bytes& body) const {
  const auto length = json_length(body.size());
  return length.ok() ? length->value_or(body.size()) : 0;
}

Status V2Call::parse(const Bytes& body, const ModelVersion& version, InferRequest& request) {
  MM_ASSIGN_OR_RETURN(const std::optional<size_t> length, json_length(body.size()));
  is_open_ = version.signature().open;
  // A route may fall back to a model with an open signature.
  const bool is_told = is_open_ || (routed() && inference().catalog().may_have_open());
  OpenRequest open;
  if (!is_open_) open.set_strict();
  if (length == std::optional<size_t>(0)) {
    outputs_.default_form = HttpForm::kBinary;
    MM_RETURN_IF_ERROR(
        parse_http_raw(body, model(), version.signature(), has_batch_dimension(version.definition()), request));
    if (is_told) request.parameters.set(std::string(kOpenRequest), open.text(http().headers));
    return forward_headers(request);
  }
  const Status status =
      parse_http_infer(body, length.value_or(body.size()), request, outputs_, shared_, is_told ? &open : nullptr);
  id_ = request.id;
  if (is_told) request.parameters.set(std::string(kOpenRequest), open.text(http().headers));
  MM_RETURN_IF_ERROR(status);
  return forward_headers(request);
}

/// Binary data is only passed on, unless it is to be compressed.
size_t V2Call::written_bytes(const InferResponse& response) const {
  size_t bytes = 0;
  for (const Tensor& tensor : response.outputs) {
    if (!encoding().empty() || outputs_.form(tensor.name) != HttpForm::kBinary) bytes += tensor.byte_size();
  }
  return bytes;
}

/// Of a model that gives any outputs: what its code chose to give for those that were asked for.
wire::HttpReply V2Call::write_open(InferResponse& response) {
  const std::optional<OpenAnswer> open = OpenAnswer::take(response);
  Status status = response.status;
  if (status.ok()) status = shared_.write_outputs(response);
  if (status.ok() && routed()) routed()->describe(response.parameters);
  const int64_t answered = response.version != 0 ? response.version : version();
  const std::string& id = open && !open->id.empty() ? open->id : id_;
  wire::HttpReply reply = status.ok()
                              ? write_http_infer(response, model(), answered, id, outputs_, open ? &*open : nullptr)
                              : error_reply(status);
  if (open) open->mark(reply, !status.ok());
  return reply;
}

wire::HttpReply V2Call::write(InferResponse response) {
  if (is_open_ || OpenAnswer::is(response)) return write_open(response);  // a route may have led to another model
  if (!response.status.ok()) return error_reply(response.status);
  const Status selected = select_outputs(inference().catalog(), served_model(), outputs_.requested, response);
  if (!selected.ok()) return error_reply(selected);
  if (const Status written = shared_.write_outputs(response); !written.ok()) return error_reply(written);
  if (routed()) routed()->describe(response.parameters);
  const int64_t answered = response.version != 0 ? response.version : version();
  wire::HttpReply reply = write_http_infer(response, model(), answered, id_, outputs_);
  if (const std::string_view type = answer_type(); !type.empty()) name_binary_type(reply, type);
  return reply;
}

}  // namespace modelmill::kserve_v2
