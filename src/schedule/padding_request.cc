#include "schedule/padding_request.h"

#include <memory>

#include "schedule/input_rows.h"

namespace modelmill {
namespace {

class Nobody final : public ResponseSink {
 public:
  void on_response(InferResponse, bool, bool) override {}
};

}  // namespace

InferRequestPtr make_padding(const InferRequest& first, int64_t rows) {
  static const std::shared_ptr<ResponseSink> nobody = std::make_shared<Nobody>();
  auto request = std::make_unique<InferRequest>(nobody);
  request->model = first.model;
  request->version = first.version;
  request->parameters = first.parameters;
  request->outputs = first.outputs;
  request->times = first.times;
  request->batch_rows = rows;
  for (const Tensor& input : first.inputs) {
    Tensor row = InputRows(input, first.batch_rows).next(1);
    row.shape[0] = rows;
    const Chunks one = row.data;
    for (int64_t i = 1; i < rows; ++i) row.data.insert(row.data.end(), one.begin(), one.end());
    request->inputs.push_back(std::move(row));
  }
  return request;
}

}  // namespace modelmill
