// V2 requests whose tensors are JSON: what is accepted has exactly the bytes that its shape calls for, and comes back
// from the JSON of an answer as it was.
#include <memory>
#include <string>

#include "base/check.h"
#include "base/testing/shared_memory.h"
#include "dialect/kserve_v2/http_infer_codec.h"
#include "dialect_rig.h"
#include "targets.h"

namespace modelmill::fuzz {
namespace {

constexpr std::string_view kOutputs = "\"outputs\":[";

/// One region, "r", of 64 bytes.
const kserve_v2::SharedRegions& regions() {
  static kserve_v2::SharedRegions made({"/"}, 1 << 20);
  static const bool added = made.add("r", testing::ClientMemory(64).key(), 0, 64).ok();
  MM_CHECK(added, "a region");
  return made;
}

struct Parsed {
  InferRequest request{std::make_shared<testing::RecordingSink>()};
  kserve_v2::HttpOutputs outputs;
  kserve_v2::SharedTensors shared{&regions()};
  Status status;

  explicit Parsed(std::string_view text) {
    request.model = "m";
    const Bytes body = Bytes::copy_of(text);
    status = kserve_v2::parse_http_infer(body, body.size(), request, outputs, shared);
  }
  ~Parsed() { request.finish(); }
};

/// Whether it suits the shape is for others to say.
void check_shared(Parsed& parsed) {
  const Status read = parsed.shared.read_inputs(parsed.request);
  MM_CHECK(read.ok(), read.to_string().c_str());
  size_t bytes = 0;
  for (const Tensor& tensor : parsed.request.inputs) bytes += tensor.byte_size();
  MM_CHECK(bytes >= parsed.shared.input_bytes(), "what lies in shared memory is there");
}

bool goes_as_json(const InferRequest& request) {
  for (const Tensor& tensor : request.inputs)
    if (tensor.dtype == DataType::kFp16 || tensor.dtype == DataType::kBf16) return false;
  return true;
}

void check_same(const InferRequest& before, const InferRequest& after) {
  MM_CHECK(before.inputs.size() == after.inputs.size(), "as many tensors");
  for (size_t i = 0; i < before.inputs.size(); ++i) {
    const Tensor& a = before.inputs[i];
    const Tensor& b = after.inputs[i];
    MM_CHECK(a.name == b.name && a.dtype == b.dtype && a.shape == b.shape, "a tensor's name, type and shape");
    MM_CHECK(joined(a.data) == joined(b.data), "a tensor's bytes");
  }
}

/// The same request to a model with an open signature: what its code is told is JSON, tensors are what they say, and an
/// answer with the same text beside it can be written.
void check_open(std::string_view text) {
  InferRequest request(std::make_shared<testing::RecordingSink>());
  request.model = "m";
  kserve_v2::HttpOutputs outputs;
  kserve_v2::SharedTensors shared{&regions()};
  kserve_v2::OpenRequest open;
  const Bytes body = Bytes::copy_of(text);
  if (kserve_v2::parse_http_infer(body, body.size(), request, outputs, shared, &open).ok()) {
    const std::string told = open.text(std::vector<std::pair<std::string, std::string>>{{"name", std::string(text)}});
    check_json(told, true);
    InferResponse response;
    response.parameters.set(std::string(kserve_v2::kOpenAnswer), told);
    if (const auto answer = kserve_v2::OpenAnswer::take(response))
      check_json(joined(kserve_v2::write_http_infer(response, "m", 1, "", {}, &*answer).body), true);
  }
  request.finish();
}

}  // namespace

void v2_json(std::string_view text) {
  check_open(text);
  Parsed parsed(text);
  if (!parsed.status.ok()) return;
  if (parsed.shared.input_bytes() != 0) return check_shared(parsed);
  InferResponse response;
  for (const Tensor& tensor : parsed.request.inputs) {
    // An empty binary part is what a body without one may name.
    MM_CHECK(tensor.byte_size() == 0 || check_tensor_bytes(tensor).ok(), "a tensor has the bytes of its shape");
    response.outputs.push_back(tensor);
  }
  if (!goes_as_json(parsed.request)) return;
  for (const Tensor& tensor : parsed.request.inputs)
    if (!check_tensor_bytes(tensor).ok()) return;
  response.parameters = parsed.request.parameters;
  const wire::HttpReply reply = kserve_v2::write_http_infer(response, "m", 1, parsed.request.id, {});
  std::string answer = joined(reply.body);
  check_json(answer, true);
  const size_t at = answer.find(kOutputs);
  MM_CHECK(reply.status == 200 && at != std::string::npos, "an answer with outputs");
  // Parameters stay out of it: not every value that an answer may have is one that a request may have.
  const Parsed again("{\"inputs\":[" + answer.substr(at + kOutputs.size()));
  MM_CHECK(again.status.ok(), again.status.to_string().c_str());
  check_same(parsed.request, again.request);
}

}  // namespace modelmill::fuzz
