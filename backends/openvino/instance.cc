#include <time.h>

#include <algorithm>
#include <array>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "bound_request.h"
#include "model.h"
#include "shape_ledger.h"

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

/// What the calling thread has used of a processor: what others do meanwhile is not in it.
double thread_seconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

class OvInstance final : public backend::Instance {
 public:
  OvInstance(const Ports& ports, Compiled compiled, const InstanceShapes& shapes)
      : ports_(ports), open_(ports, std::move(compiled)), compiler_(shapes.compiler) {
    if (compiler_ != nullptr) ledger_.emplace(shapes.compile_seconds);
    inputs_.resize(ports.inputs.size());
    buffers_.resize(ports.inputs.size());
  }

  void execute(Execution& execution) override {
    for (size_t i = 0; i < ports_.inputs.size(); ++i) gather_input(execution, i);
    if (!ledger_) return run(execution, open_);
    const size_t place = meet_shape();
    const std::unique_ptr<BoundRequest>& own = own_[place].request;
    BoundRequest& request = own ? *own : open_;
    if (!ledger_->measures(place)) return run(execution, request);
    const double before = thread_seconds();
    run(execution, request);
    take_step(place, thread_seconds() - before);
  }

 private:
  /// A shape's own model, once it is there.
  struct Own {
    std::shared_ptr<const FixedModel> ordered;
    std::unique_ptr<BoundRequest> request;
  };

  void run(Execution& execution, BoundRequest& request) {
    for (size_t i = 0; i < ports_.inputs.size(); ++i) set_input(execution, i, request);
    execution.mark_input_end();
    request.infer();
    execution.mark_infer_end();
    answer(execution, request.take_outputs());
  }

  void gather_input(const Execution& execution, size_t index) {
    const ModelPort& port = ports_.inputs[index];
    const auto hint = static_cast<uint32_t>(index);
    GatheredInput& in = inputs_[index];
    in = port.spec.dtype == MM_STRING ? backend::gathered_shape(execution, port.spec.name, hint)
                                      : backend::gather(execution, port.spec.name, buffers_[index], hint);
    if (in.dtype != port.spec.dtype)
      throw Error(MM_INVALID_ARGUMENT, "input '" + port.spec.name + "' has type " + backend::dtype_name(in.dtype) +
                                           ", the model takes " + backend::dtype_name(port.spec.dtype));
  }

  void set_input(const Execution& execution, size_t index, BoundRequest& request) {
    const ModelPort& port = ports_.inputs[index];
    GatheredInput& in = inputs_[index];
    const bool strings = port.spec.dtype == MM_STRING;
    const Shape shape{static_cast<int64_t>(in.rank), in.sizes.data()};
    Tensor* made = nullptr;
    check(strings ? api->tensor_create(port.type, shape, &made)
                  : api->tensor_on(port.type, shape, const_cast<void*>(in.data), &made));
    const Handle<Tensor> tensor(made);
    if (strings) fill_strings(execution, port, static_cast<uint32_t>(index), *tensor);
    request.set_input(port, *tensor);
  }

  /// The place of the inputs' shapes. A model that was ordered for them and has come is taken.
  size_t meet_shape() {
    sizes_.clear();
    for (const GatheredInput& in : inputs_) sizes_.insert(sizes_.end(), in.sizes.begin(), in.sizes.begin() + in.rank);
    const size_t place = ledger_->meet(sizes_);
    Own& own = own_[place];
    if (own.request || !own.ordered || !own.ordered->done.load(std::memory_order_acquire)) return place;
    try {
      if (own.ordered->compiled)
        own.request = std::make_unique<BoundRequest>(own.ordered->ports, own.ordered->compiled);
    } catch (const Error&) {
      own.request.reset();  // the open model does as well
    }
    ledger_->made(place, own.request != nullptr);
    if (!own.request) own.ordered.reset();
    return place;
  }

  void take_step(size_t place, double seconds) {
    const ShapeLedger::Step step = ledger_->ran(place, seconds);
    if (step.drop) own_[*step.drop] = {};
    if (!step.make) return;
    std::vector<std::vector<int64_t>> shapes;
    for (const GatheredInput& in : inputs_) shapes.emplace_back(in.sizes.begin(), in.sizes.begin() + in.rank);
    own_[place].ordered = compiler_->order(std::move(shapes));
    if (!own_[place].ordered) ledger_->made(place, false);
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

  void answer(Execution& execution, std::vector<Produced> produced) {
    const RowCutter cutter(execution);
    std::vector<Handle<Tensor>> lent;
    for (Produced& output : produced) {
      cutter.check_output(output.name(), output.shape());
      if (output.lend) lent.push_back(std::move(output.tensor));
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
  BoundRequest open_;              // takes every shape
  ShapeCompiler* const compiler_;  // null: no shape gets a model of its own
  std::optional<ShapeLedger> ledger_;
  std::array<Own, ShapeLedger::kPlaces> own_;
  std::vector<GatheredInput> inputs_;
  std::vector<Buffer> buffers_;  // one for each input's batch
  std::vector<int64_t> sizes_;   // of all inputs
};

}  // namespace

std::unique_ptr<backend::Instance> make_instance(const Ports& ports, Compiled compiled, const InstanceShapes& shapes) {
  return std::make_unique<OvInstance>(ports, std::move(compiled), shapes);
}

}  // namespace modelmill::ov
