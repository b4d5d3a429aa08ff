// V2 requests over HTTP with binary tensors behind their JSON, header lengths and compressed bodies, through the whole
// dialect: each gets one answer, whose parts are as long as it says.
#include <charconv>
#include <string>

#include "base/check.h"
#include "dialect/http_compression.h"
#include "dialect/json_input.h"
#include "dialect/kserve_v2/service.h"
#include "dialect_rig.h"
#include "input.h"
#include "targets.h"
#include "wire/deflate.h"

namespace modelmill::fuzz {
namespace {

/// The content's first line is the JSON, what follows its binary part: so that the length stays right when either
/// changes. The choices: model; header length; codings; and a length that is simply claimed.
wire::HttpRequest make_request(Input& input) {
  wire::HttpRequest request;
  request.method = "POST";
  request.path = "/v2/models/" + DialectRig::model_name(input.choice()) + "/infer";
  std::string body(input.content());
  const size_t header_kind = input.choice_of(4);
  const auto header_length = [&](const std::string& text) {
    request.headers.emplace_back("inference-header-content-length", text);
  };
  if (header_kind == 1) header_length("0");
  if (header_kind == 2) {
    const size_t end = std::min(body.find('\n'), body.size());
    if (end < body.size()) body.erase(end, 1);
    header_length(std::to_string(end));
  }
  const size_t coding = input.choice_of(4);
  if (coding == 1) request.headers.emplace_back("accept-encoding", "gzip;q=0.5, deflate");
  if (coding == 2) request.headers.emplace_back("content-encoding", "gzip");
  if (coding == 3) {
    Chunks chunks;
    chunks.push_back(Bytes::copy_of(body));
    if (const auto deflated = wire::deflate_chunks(chunks, wire::DeflateFormat::kZlib)) {
      body = deflated->view();
      request.headers.emplace_back("content-encoding", "deflate");
    }
  }
  if (header_kind == 3) {
    std::string claimed;
    while (input.more_choices()) claimed += static_cast<char>(input.choice());
    header_length(claimed);
  }
  request.body = Bytes::copy_of(body);
  return request;
}

void check_answer(const wire::HttpReply& reply) {
  std::string body = joined(reply.body);
  if (const std::string_view coding = header_of(reply, "content-encoding"); !coding.empty())
    body = std::string(decode_body(Bytes::copy_of(body), coding, {}).value().view());
  MM_CHECK(reply.status >= 200 && reply.status < 600, "a status");
  const std::string_view length = header_of(reply, "inference-header-content-length");
  size_t head = body.size();
  if (!length.empty()) std::from_chars(length.data(), length.data() + length.size(), head);
  MM_CHECK(head <= body.size(), "the JSON is within the body");
  simdjson::dom::parser parser;
  const std::string json = body.substr(0, head);
  const auto document = parse_json(parser, json, json.size());
  MM_CHECK(document.ok(), "the answer is JSON");
  if (reply.status != 200) {
    MM_CHECK((*document)["error"].is_string(), "an error says what is wrong");
    return;
  }
  uint64_t binary = 0;
  for (const simdjson::dom::element output : (*document)["outputs"].get_array()) {
    uint64_t size = 0;
    if (output["parameters"]["binary_data_size"].get(size) == simdjson::SUCCESS) binary += size;
  }
  MM_CHECK(head + binary == body.size(), "the binary part is as long as the JSON says");
}

}  // namespace

void v2_binary(std::string_view bytes) {
  static DialectRig rig;
  static const kserve_v2::Service service(rig.inference(), {});
  static const wire::HttpHandler handler = service.http();
  Input input(bytes);
  check_answer(rig.ask(handler, make_request(input)));
}

}  // namespace modelmill::fuzz
