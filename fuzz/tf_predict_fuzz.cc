// PredictRequest as we read it, in any pieces, against protobuf's own parser: where both can make tensors of it, they
// are the same; and the answer that is written is one that protobuf reads.
#include <span>
#include <string>

#include "base/check.h"
#include "dialect/tfserving/model_target.h"
#include "dialect/tfserving/predict_codec.h"
#include "dialect_rig.h"
#include "input.h"
#include "model/tf_tensor_proto.h"
#include "targets.h"
#include "tf_serving_api.pb.h"

namespace modelmill::fuzz {
namespace {

using tensorflow::serving::PredictRequest;

/// Elements of one kind are in one place, as protobuf's writers have them; what is mixed is read in other ways.
bool is_plain(const tensorflow::TensorProto& proto) {
  const bool floats = proto.float_val_size() > 0 || proto.double_val_size() > 0;
  return !floats && proto.ByteSizeLong() < 4096;
}

void compare(const InferRequest& request, const PredictRequest& parsed) {
  for (const auto& [name, proto] : parsed.inputs()) {
    const Tensor* tensor = request.input(name);
    MM_CHECK(tensor != nullptr, "every input is there");
    if (!is_plain(proto)) continue;
    const Result<Tensor> expected = tensor_of_proto(name, proto);
    if (!expected.ok()) continue;
    MM_CHECK(tensor->shape == expected->shape, "shapes agree");
    MM_CHECK(tensor->contiguous().view() == expected->contiguous().view(), "elements agree");
  }
}

}  // namespace

void tf_predict(std::string_view bytes) {
  Input input(bytes);
  const std::string_view message = input.content();
  tfserving::PredictScanner scanner;
  scanner.begin(message.size());
  cut(input, message, [&](std::string_view piece) { scanner.feed(std::as_bytes(std::span(piece))); });
  InferRequest request(nullptr);
  if (!scanner.end().ok()) return;
  (void)tfserving::read_model_spec(scanner.model_spec());
  if (!tfserving::read_predict_request(scanner, request).ok()) return;
  InferResponse response;
  for (const Tensor& tensor : request.inputs) {
    MM_CHECK(check_tensor_bytes(tensor).ok(), "tensors are whole");
    response.outputs.push_back(tensor);
  }
  PredictRequest parsed;
  if (parsed.ParseFromArray(message.data(), static_cast<int>(message.size()))) {
    compare(request, parsed);
    tensorflow::serving::PredictResponse read;
    MM_CHECK(read.ParseFromString(joined(tfserving::write_predict_response(response, {"m", 1, ""}))),
             "an answer that protobuf reads");
  }
}

}  // namespace modelmill::fuzz
