#include <algorithm>

#include "model.h"
#include "trial.h"

namespace modelmill::pytorch {
namespace {

using backend::BatchOutput;
using backend::Error;
using backend::Execution;
using backend::GatheredInput;
using backend::Owner;
using backend::Request;
using backend::Response;
using backend::RowCutter;

class TorchInstance final : public backend::Instance {
 public:
  explicit TorchInstance(const TorchModel& model) : model_(model), buffers_(model.inputs().size()) {
    gathered_.resize(model.inputs().size());
  }

  void execute(Execution& execution) override {
    std::vector<InputValue> values(model_.value_count());
    std::string storage;
    for (size_t i = 0; i < model_.inputs().size(); ++i) {
      const Port& port = model_.inputs()[i];
      if (port.spec.optional && all_leave_out(execution, port, static_cast<uint32_t>(i))) continue;
      values[model_.value_place(i)] = make_value(execution, i);
    }
    execution.mark_input_end();
    std::unique_ptr<Outputs> outputs = model_.program().run(values, model_.run_options());
    execution.mark_infer_end();
    answer(execution, std::move(outputs));
  }

 private:
  static bool all_leave_out(const Execution& execution, const Port& port, uint32_t hint) {
    return std::none_of(execution.begin(), execution.end(),
                        [&](const Request& r) { return r.find_input(port.spec.name, hint).has_value(); });
  }

  InputValue make_value(const Execution& execution, size_t index) {
    const Port& port = model_.inputs()[index];
    const auto hint = static_cast<uint32_t>(index);
    const bool strings = port.spec.dtype == MM_STRING;
    GatheredInput& in = gathered_[index];
    in = strings ? backend::gathered_shape(execution, port.spec.name, hint)
                 : backend::gather(execution, port.spec.name, buffers_[index], hint);
    if (in.dtype != port.spec.dtype)
      throw Error(MM_INVALID_ARGUMENT, "input '" + port.spec.name + "' has type " + backend::dtype_name(in.dtype) +
                                           ", the model takes " + backend::dtype_name(port.spec.dtype));
    check_limits(port, in.shape());
    InputValue out = value_for(port, in.dtype, in.shape());
    if (strings) {
      add_texts(execution, port, hint, out.texts);
    } else {
      out.data = in.data;
    }
    return out;
  }

  /// The strings of all requests; those that came in pieces are put together first.
  void add_texts(const Execution& execution, const Port& port, uint32_t hint, std::vector<std::string_view>& to) {
    texts_.clear();
    texts_.reserve(execution.size());
    for (const Request& request : execution) {
      const mm_tensor tensor = request.input(port.spec.name, hint);
      const auto views = backend::string_views(tensor, texts_.emplace_back());
      to.insert(to.end(), views.begin(), views.end());
    }
  }

  /// The code of a package reads beyond an input of other sizes than it was compiled for.
  static void check_limits(const Port& port, std::span<const int64_t> shape) {
    for (size_t i = 0; i < port.limits.size() && i < shape.size(); ++i) {
      const int64_t most = port.limits[i].most;
      if (most >= 0 && shape[i] > most)
        throw Error(MM_INVALID_ARGUMENT, "input '" + port.spec.name + "' has shape " + backend::shape_text(shape) +
                                             "; its size " + std::to_string(i) + " may be at most " +
                                             std::to_string(most) + ", for which the package was compiled");
    }
  }

  static const OutputValue& value_of(const Outputs& outputs, const Port& port) {
    if (port.place >= outputs.values.size())
      throw Error(MM_INTERNAL, "output '" + port.spec.name + "' is number " + std::to_string(port.place) +
                                   " (from 0), but the model answered with " + std::to_string(outputs.values.size()));
    const OutputValue& value = outputs.values[port.place];
    if (value.dtype != port.spec.dtype)
      throw Error(MM_INTERNAL, "output '" + port.spec.name + "' came as " + backend::dtype_name(value.dtype) +
                                   ", but is " + backend::dtype_name(port.spec.dtype) + " in the configuration");
    return value;
  }

  void answer(Execution& execution, std::unique_ptr<Outputs> outputs) const {
    const RowCutter cutter(execution);
    std::vector<const OutputValue*> values;
    bool lends = false;
    for (const Port& port : model_.outputs()) {
      values.push_back(&value_of(*outputs, port));
      cutter.check_output(port.spec.name.c_str(), values.back()->shape);
      lends |= values.back()->lendable;
    }
    const Owner owner = lends ? Owner::of(std::shared_ptr<const Outputs>(std::move(outputs))) : Owner();
    for (uint32_t i = 0; i < execution.size(); ++i) {
      Request& request = execution[i];
      try {
        Response response = request.respond();
        for (size_t k = 0; k < values.size(); ++k)
          if (request.wants(model_.outputs()[k].spec.name))
            put(response, cutter, i, model_.outputs()[k].spec.name.c_str(), *values[k], owner);
        response.send();
      } catch (...) {
        request.fail(backend::current_error());
      }
    }
  }

  static void put(Response& response, const RowCutter& cutter, uint32_t index, const char* name,
                  const OutputValue& value, const Owner& owner) {
    if (value.dtype != MM_STRING)
      return put_slice(response, cutter, index,
                       BatchOutput{name, value.dtype, value.shape, value.data, !value.lendable}, owner);
    std::vector<int64_t> shape = value.shape;
    size_t first = 0;
    if (!cutter.single()) {
      first = static_cast<size_t>(cutter.range(index).first);
      shape[0] = cutter.range(index).count;
    }
    const std::span<const uint64_t> offsets(value.offsets.data() + first, backend::element_count(shape) + 1);
    response.strings(name, shape, offsets, value.bytes.data());
  }

  const TorchModel& model_;
  std::vector<backend::Buffer> buffers_;  // one for each input's batch

  // Of the execution that runs; kept for their memory.
  std::vector<GatheredInput> gathered_;
  std::vector<std::string> texts_;
};

}  // namespace

std::unique_ptr<backend::Instance> make_instance(const TorchModel& model) {
  return std::make_unique<TorchInstance>(model);
}

}  // namespace modelmill::pytorch
