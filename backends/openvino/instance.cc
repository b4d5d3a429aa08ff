#include <algorithm>

#include "model.h"

namespace modelmill::ov {
namespace {

using backend::BatchOutput;
using backend::Buffer;
using backend::Error;
using backend::Execution;
using backend::GatheredInput;
using backend::Owner;
using backend::Request;
using backend::Response;
using backend::RowCutter;

/// Outputs of fewer bytes are copied: cheaper than new memory for the next execution.
constexpr uint64_t kLendFrom = 32 << 10;

/// Bytes that no model answers with.
constexpr std::string_view kMark = "\xff\x5a\xd1\x7f\xc3\xe9\x9b\xff\xb7\x1d\xfe\x7f\xa9\x6e\xf4\xff";

/// An output of the batch as it came out of an execution.
struct Produced {
  const ModelPort* port = nullptr;
  Handle<Tensor> tensor;
  uint32_t rank = 0;
  std::array<int64_t, backend::kMaxRank> sizes{};
  void* data = nullptr;
  bool lend = false;

  std::span<const int64_t> shape() const { return {sizes.data(), rank}; }
  const char* name() const { return port->spec.name.c_str(); }
};

class OvInstance final : public backend::Instance {
 public:
  OvInstance(const Ports& ports, Compiled compiled) : ports_(ports), compiled_(std::move(compiled)) {
    InferRequest* made = nullptr;
    check(api->infer_request_create(compiled_.get(), &made));
    request_.reset(made);
    buffers_.resize(ports.inputs.size());
    outputs_.resize(ports.outputs.size());
    for (const ModelPort& port : ports.outputs) renew_output(port);
  }

  void execute(Execution& execution) override {
    for (size_t i = 0; i < ports_.inputs.size(); ++i) set_input(execution, i);
    mark_outputs();
    execution.mark_input_end();
    check(api->infer_request_infer(request_.get()));
    check_outputs();
    execution.mark_infer_end();
    answer(execution);
  }

 private:
  /// What the request writes an output into.
  struct Output {
    Handle<Tensor> tensor;
    std::vector<int64_t> unanswered;  // its shape before an execution
    size_t marked = 0;                // so many bytes begin with kMark then
    void* data = nullptr;
  };

  /// Whether the request writes this output into a tensor that we have made, so that it can be lent.
  static bool is_ours(const ModelPort& port) { return port.rank_known && port.spec.dtype != MM_STRING; }

  /// Gives the request a tensor of its own for the next execution; where a size is not known it is made larger then.
  void renew_output(const ModelPort& port) {
    Output& output = outputs_[port.index];
    if (!is_ours(port)) return;
    output.unanswered = port.spec.shape;
    std::replace(output.unanswered.begin(), output.unanswered.end(), int64_t{-1}, int64_t{1});
    Tensor* made = nullptr;
    check(api->tensor_create(port.type, shape_of(output.unanswered), &made));
    output.tensor.reset(made);
    output.marked =
        std::min(kMark.size(), backend::element_count(output.unanswered) * backend::element_size(port.spec.dtype));
    check(api->infer_request_set_output(request_.get(), port.index, made));
  }

  static Shape shape_of(std::vector<int64_t>& sizes) { return {static_cast<int64_t>(sizes.size()), sizes.data()}; }

  /// Marks the outputs, so that an answer which did not come is seen.
  void mark_outputs() {
    for (Output& output : outputs_) {
      if (output.marked == 0) continue;
      if (!output.unanswered.empty()) check(api->tensor_set_shape(output.tensor.get(), shape_of(output.unanswered)));
      check(api->tensor_data(output.tensor.get(), &output.data));
      std::memcpy(output.data, kMark.data(), output.marked);
    }
  }

  /// On one thread OpenVINO may report success although the shapes of the inputs did not fit together, and leave the
  /// outputs as they were: with the answer to another request.
  void check_outputs() const {
    for (const ModelPort& port : ports_.outputs) {
      const Output& output = outputs_[port.index];
      if (output.marked == 0) continue;
      void* data = nullptr;
      if (api->tensor_data(output.tensor.get(), &data) != 0) {
        last_error();  // there is no data: an answer without elements
        continue;
      }
      if (data == output.data && std::memcmp(data, kMark.data(), output.marked) == 0 && has_its_old_shape(output))
        throw Error(MM_INVALID_ARGUMENT, "OpenVINO: output '" + port.spec.name +
                                             "' was not computed: the inputs' shapes do not fit together");
    }
  }

  /// An answer without elements has a shape of its own and leaves the memory as it was.
  static bool has_its_old_shape(const Output& output) {
    if (output.unanswered.empty()) return true;  // a scalar, whose shape the library does not tell
    Shape shape{};
    check(api->tensor_shape(output.tensor.get(), &shape));
    const bool same =
        std::equal(shape.sizes, shape.sizes + shape.rank, output.unanswered.begin(), output.unanswered.end());
    check(api->shape_free(&shape));
    return same;
  }

  void set_input(const Execution& execution, size_t index) {
    const ModelPort& port = ports_.inputs[index];
    const auto hint = static_cast<uint32_t>(index);
    const bool strings = port.spec.dtype == MM_STRING;
    GatheredInput in = strings ? backend::gathered_shape(execution, port.spec.name, hint)
                               : backend::gather(execution, port.spec.name, buffers_[index], hint);
    if (in.dtype != port.spec.dtype)
      throw Error(MM_INVALID_ARGUMENT, "input '" + port.spec.name + "' has type " + backend::dtype_name(in.dtype) +
                                           ", the model takes " + backend::dtype_name(port.spec.dtype));
    const Shape shape{static_cast<int64_t>(in.rank), in.sizes.data()};
    Tensor* made = nullptr;
    check(strings ? api->tensor_create(port.type, shape, &made)
                  : api->tensor_on(port.type, shape, const_cast<void*>(in.data), &made));
    const Handle<Tensor> tensor(made);
    if (strings) fill_strings(execution, port, hint, *tensor);
    check(api->infer_request_set_input(request_.get(), port.index, made), "input '" + port.spec.name + "'",
          MM_INVALID_ARGUMENT);
  }

  static void fill_strings(const Execution& execution, const ModelPort& port, uint32_t hint, Tensor& tensor) {
    void* data = nullptr;
    check(api->tensor_data(&tensor, &data));
    auto* to = static_cast<std::string*>(data);
    for (const Request& request : execution) {
      std::string storage;
      const mm_tensor input = request.input(port.spec.name, hint);
      for (std::string_view text : backend::string_views(input, storage)) *to++ = text;
    }
  }

  Produced read_output(const ModelPort& port) const {
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

  static void read_shape(Produced& out) {
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

  void answer(Execution& execution) {
    const RowCutter cutter(execution);
    std::vector<Produced> produced;
    std::vector<Handle<Tensor>> lent;
    for (const ModelPort& port : ports_.outputs) {
      produced.push_back(read_output(port));
      cutter.check_output(produced.back().name(), produced.back().shape());
    }
    for (Produced& output : produced) {
      if (!output.lend) continue;
      renew_output(*output.port);
      lent.push_back(std::move(output.tensor));
    }
    const Owner owner = lent.empty() ? Owner() : Owner::of(std::move(lent));
    for (uint32_t i = 0; i < execution.size(); ++i) {
      Request& request = execution[i];
      try {
        Response response = request.respond();
        for (const Produced& output : produced)
          if (request.wants(output.name())) put(response, cutter, i, output, owner);
        response.send();
      } catch (...) {
        request.fail(backend::current_error());
      }
    }
  }

  static void put(Response& response, const RowCutter& cutter, uint32_t index, const Produced& output,
                  const Owner& owner) {
    if (output.port->spec.dtype != MM_STRING) {
      const BatchOutput batch{output.name(), output.port->spec.dtype, output.shape(), output.data, !output.lend};
      return put_slice(response, cutter, index, batch, owner);
    }
    auto sizes = output.sizes;
    const std::span<const int64_t> shape(sizes.data(), output.rank);
    const auto* values = static_cast<const std::string*>(output.data);
    if (!cutter.single()) {
      sizes[0] = 1;
      values += static_cast<uint64_t>(cutter.range(index).first) * backend::element_count(shape);
      sizes[0] = cutter.range(index).count;
    }
    response.strings(output.name(), shape, std::span(values, backend::element_count(shape)));
  }

  const Ports& ports_;
  const Compiled compiled_;
  Handle<InferRequest> request_;
  std::vector<Buffer> buffers_;  // one for each input's batch
  std::vector<Output> outputs_;
};

}  // namespace

std::unique_ptr<backend::Instance> make_instance(const Ports& ports, Compiled compiled) {
  return std::make_unique<OvInstance>(ports, std::move(compiled));
}

}  // namespace modelmill::ov
