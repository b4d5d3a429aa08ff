#include "dialect/predict/reply_codec.h"

#include <algorithm>
#include <utility>

#include "base/json_text.h"
#include "dialect/http_router.h"
#include "dialect/json_output.h"
#include "tensor/csv.h"
#include "tensor/npy.h"

namespace modelmill::predict {

Format choose_format(std::string_view accept) {
  const size_t csv = accept.find("text/csv");
  const size_t npy = accept.find("application/x-npy");
  const size_t json = accept.find("application/json");
  const size_t first = std::min({csv, npy, json});
  if (first == std::string_view::npos || first == json) return Format::kJson;
  return first == csv ? Format::kCsv : Format::kNpy;
}

Result<wire::HttpReply> write_reply(InferResponse response, Format format, bool drop_dimension) {
  if (drop_dimension) {
    for (Tensor& tensor : response.outputs) {
      if (!tensor.shape.empty() && tensor.shape[0] == 1) tensor.shape.erase(tensor.shape.begin());
    }
  }
  if (format == Format::kJson) {
    JsonWriter json;
    json.begin_object();
    for (const Tensor& tensor : response.outputs) {
      std::string elements;
      MM_RETURN_IF_ERROR(append_json_elements(elements, tensor, /*nested=*/true));
      json.key(tensor.name).raw(elements);
    }
    json.end_object();
    return json_reply(200, json.take() + "\n");
  }
  if (response.outputs.size() != 1) {
    std::string names;
    for (const Tensor& tensor : response.outputs) names += (names.empty() ? "" : ", ") + tensor.name;
    return invalid_argument("CSV and .npy hold one output, and there are " + std::to_string(response.outputs.size()) +
                            " (" + names + "); name one with ?output=NAME, or take JSON");
  }
  const Tensor& tensor = response.outputs[0];
  if (format == Format::kCsv) return wire::HttpReply::text(200, "text/csv; charset=utf-8", write_csv(tensor));
  wire::HttpReply reply;
  reply.headers.emplace_back("Content-Type", "application/x-npy");
  reply.body = write_npy(tensor);
  return reply;
}

}  // namespace modelmill::predict
