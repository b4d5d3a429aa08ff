#include "bound_request.h"

#include <algorithm>
#include <cstring>
#include <string_view>
#include <utility>

namespace modelmill::ov {
namespace {

using backend::Error;

/// Outputs of fewer bytes are copied: cheaper than new memory for the next execution.
constexpr uint64_t kLendFrom = 32 << 10;

/// Bytes that no model answers with.
constexpr std::string_view kMark = "\xff\x5a\xd1\x7f\xc3\xe9\x9b\xff\xb7\x1d\xfe\x7f\xa9\x6e\xf4\xff";

/// Whether the request writes this output into a tensor that we have made, so that it can be lent.
bool is_ours(const ModelPort& port) { return port.rank_known && port.spec.dtype != MM_STRING; }

Shape shape_of(std::vector<int64_t>& sizes) { return {static_cast<int64_t>(sizes.size()), sizes.data()}; }

bool any_open(const std::vector<ModelPort>& ports) {
  return std::any_of(ports.begin(), ports.end(), [](const ModelPort& port) { return !port.rank_known || port.open(); });
}

/// An answer without elements has a shape of its own and leaves the memory as it was.
bool has_shape(const Tensor* tensor, const std::vector<int64_t>& sizes) {
  if (sizes.empty()) return true;  // a scalar, whose shape the library does not tell
  Shape shape{};
  check(api->tensor_shape(tensor, &shape));
  const bool same = std::equal(shape.sizes, shape.sizes + shape.rank, sizes.begin(), sizes.end());
  check(api->shape_free(&shape));
  return same;
}

void read_shape(Produced& out) {
  const ModelPort& port = *out.port;
  if (port.rank_known && port.spec.shape.empty()) return;  // of scalars the library gives none
  Shape shape{};
  check(api->tensor_shape(out.tensor.get(), &shape), "output '" + port.spec.name + "'");
  out.rank = static_cast<uint32_t>(shape.rank);
  const bool fits = out.rank <= backend::kMaxRank;
  if (fits) std::copy_n(shape.sizes, out.rank, out.sizes.begin());
  check(api->shape_free(&shape));
  if (!fits) throw Error(MM_INTERNAL, "output '" + port.spec.name + "' has more than 32 dimensions");
}

}  // namespace

BoundRequest::BoundRequest(Ports ports, Compiled compiled)
    : ports_(std::move(ports)),
      open_(any_open(ports_.inputs) || any_open(ports_.outputs)),
      compiled_(std::move(compiled)) {
  InferRequest* made = nullptr;
  check(api->infer_request_create(compiled_.get(), &made));
  request_.reset(made);
  outputs_.resize(ports_.outputs.size());
  for (const ModelPort& port : ports_.outputs) renew_output(port);
}

void BoundRequest::set_input(const ModelPort& port, const Tensor& tensor) {
  check(api->infer_request_set_input(request_.get(), port.index, &tensor), "input '" + port.spec.name + "'",
        MM_INVALID_ARGUMENT);
}

void BoundRequest::infer() {
  mark_outputs();
  check(api->infer_request_infer(request_.get()));
  check_outputs();
}

std::vector<Produced> BoundRequest::take_outputs() {
  std::vector<Produced> out;
  for (const ModelPort& port : ports_.outputs) out.push_back(read_output(port));
  for (const Produced& output : out)
    if (output.lend) renew_output(*output.port);
  return out;
}

/// Gives the request a tensor of its own for the next execution; where a size is not known it is made larger then.
void BoundRequest::renew_output(const ModelPort& port) {
  Output& output = outputs_[port.index];
  if (!is_ours(port)) return;
  output.unanswered = port.spec.shape;
  std::replace(output.unanswered.begin(), output.unanswered.end(), int64_t{-1}, int64_t{1});
  Tensor* made = nullptr;
  check(api->tensor_create(port.type, shape_of(output.unanswered), &made));
  output.tensor.reset(made);
  const uint64_t bytes = backend::element_count(output.unanswered) * backend::element_size(port.spec.dtype);
  output.marked = open_ ? std::min<uint64_t>(kMark.size(), bytes) : 0;
  check(api->infer_request_set_output(request_.get(), port.index, made));
}

/// Marks the outputs, so that an answer which did not come is seen.
void BoundRequest::mark_outputs() {
  for (Output& output : outputs_) {
    if (output.marked == 0) continue;
    if (!output.unanswered.empty()) check(api->tensor_set_shape(output.tensor.get(), shape_of(output.unanswered)));
    check(api->tensor_data(output.tensor.get(), &output.data));
    std::memcpy(output.data, kMark.data(), output.marked);
  }
}

/// On one thread OpenVINO may report success although the shapes of the inputs did not fit together, and leave the
/// outputs as they were: with the answer to another request.
void BoundRequest::check_outputs() const {
  for (const ModelPort& port : ports_.outputs) {
    const Output& output = outputs_[port.index];
    if (output.marked == 0) continue;
    void* data = nullptr;
    if (api->tensor_data(output.tensor.get(), &data) != 0) {
      last_error();  // there is no data: an answer without elements
      continue;
    }
    if (data == output.data && std::memcmp(data, kMark.data(), output.marked) == 0 &&
        has_shape(output.tensor.get(), output.unanswered))
      throw Error(MM_INVALID_ARGUMENT,
                  "OpenVINO: output '" + port.spec.name + "' was not computed: the inputs' shapes do not fit together");
  }
}

Produced BoundRequest::read_output(const ModelPort& port) const {
  Produced out;
  out.port = &port;
  Tensor* tensor = nullptr;
  check(api->infer_request_output(request_.get(), port.index, &tensor));
  out.tensor.reset(tensor);
  read_shape(out);
  ElementType type = kDynamic;
  check(api->tensor_type(tensor, &type));
  if (type != port.type)
    throw Error(MM_INTERNAL, "output '" + port.spec.name + "' came with another type than the model has");
  const uint64_t count = backend::element_count(out.shape());
  if (count > 0) check(api->tensor_data(tensor, &out.data));
  out.lend = is_ours(port) && count * backend::element_size(port.spec.dtype) >= kLendFrom;
  return out;
}

}  // namespace modelmill::ov
