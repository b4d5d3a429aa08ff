#include "dialect/openai/embeddings_reply.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json_text.h"
#include "dialect/json_output.h"
#include "tensor/cast.h"
#include "wire/grpc_encoding.h"

namespace modelmill::openai {
namespace {

const Tensor* find(const InferResponse& response, std::string_view name) {
  const auto found = std::find_if(response.outputs.begin(), response.outputs.end(),
                                  [&](const Tensor& tensor) { return tensor.name == name; });
  return found == response.outputs.end() ? nullptr : &*found;
}

/// The vectors as floats, one after another.
Result<Tensor> vectors_of(const EmbeddingsRequest& request, const ReplyPlan& plan, const InferResponse& response) {
  const Tensor* const output = find(response, plan.output);
  if (output == nullptr) return internal("model '" + plan.cuts.model + "' gave no output '" + plan.output + "'");
  if (output->shape.size() != 2 || output->shape[0] != static_cast<int64_t>(request.rows))
    return internal("model '" + plan.cuts.model + "' gave '" + plan.output + "' of shape " +
                    shape_text(dims(output->shape)) + " for " + std::to_string(request.rows) +
                    " inputs; a vector for each was expected");
  MM_RETURN_IF_ERROR(check_tensor_bytes(*output));
  return cast_tensor(*output, DataType::kFp32);
}

/// How many tokens the inputs had; 0 where nobody knows.
int64_t count_tokens(const EmbeddingsRequest& request, const ReplyPlan& plan, const InferResponse& response) {
  if (request.is_tokens()) return static_cast<int64_t>(request.token_count());
  const Tensor* const counts = plan.counts.empty() ? nullptr : find(response, plan.counts);
  if (counts == nullptr || !check_tensor_bytes(*counts).ok()) return 0;
  const Result<Tensor> numbers = cast_tensor(*counts, DataType::kInt64);
  if (!numbers.ok()) return 0;
  const Bytes bytes = numbers->contiguous();
  int64_t total = 0;
  for (size_t at = 0; at + sizeof total <= bytes.size(); at += sizeof total) {
    int64_t one = 0;
    std::memcpy(&one, bytes.data() + at, sizeof one);
    total += std::clamp<int64_t>(one, 0, int64_t{1} << 32);
  }
  return total;
}

/// The first `size` numbers of a vector, made as long as before: 1.
Bytes cut_vector(const Bytes& whole, int64_t size) {
  std::vector<float> vector(static_cast<size_t>(size));
  std::memcpy(vector.data(), whole.data(), vector.size() * sizeof(float));
  double squares = 0;
  for (const float number : vector) squares += static_cast<double>(number) * number;
  const double length = squares > 0 ? std::sqrt(squares) : 1;
  for (float& number : vector) number = static_cast<float>(number / length);
  return Bytes::copy_of({reinterpret_cast<const char*>(vector.data()), vector.size() * sizeof(float)});
}

Status append_vector(JsonWriter& json, Bytes vector, bool base64) {
  std::string text;
  if (base64) {
    text = '"' + wire::base64_padded(vector.view()) + '"';
  } else {
    const auto size = static_cast<int64_t>(vector.size() / sizeof(float));
    MM_RETURN_IF_ERROR(append_json_elements(text, Tensor{{}, DataType::kFp32, {size}, {std::move(vector)}}, false));
  }
  json.raw(text);
  return ok_status();
}

}  // namespace

Result<std::string> write_embeddings(const EmbeddingsRequest& request, const ReplyPlan& plan,
                                     const InferResponse& response, std::string_view& param) {
  MM_ASSIGN_OR_RETURN(const Tensor vectors, vectors_of(request, plan, response));
  const int64_t size = vectors.shape[1];
  param = "dimensions";
  MM_RETURN_IF_ERROR(plan.cuts.check(request.dimensions, size));
  param = {};
  const bool cut = request.dimensions != 0 && request.dimensions != size;
  const Bytes bytes = vectors.contiguous();
  const auto row_bytes = static_cast<size_t>(size) * sizeof(float);
  JsonWriter json;
  json.begin_object().field("object", "list").key("data").begin_array();
  for (size_t row = 0; row < request.rows; ++row) {
    Bytes vector = bytes.slice(row * row_bytes, row_bytes);
    if (cut) vector = cut_vector(vector, request.dimensions);
    json.begin_object().field("object", "embedding").field("index", static_cast<uint64_t>(row)).key("embedding");
    MM_RETURN_IF_ERROR(append_vector(json, std::move(vector), request.base64));
    json.end_object();
  }
  const int64_t tokens = count_tokens(request, plan, response);
  json.end_array().field("model", request.model).key("usage").begin_object();
  json.field("prompt_tokens", tokens).field("total_tokens", tokens).end_object().end_object();
  return json.take();
}

}  // namespace modelmill::openai
