#include <algorithm>

#include "model.h"
#include "tensors.h"

namespace modelmill::tensorflow {
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

/// The values that a run gave; alive for as long as an answer uses their memory, also after the session.
struct Values {
  Values() = default;
  Values(Values&& other) noexcept : all(std::move(other.all)) { other.all.clear(); }
  Values& operator=(Values&& other) noexcept {
    std::swap(all, other.all);
    return *this;
  }
  ~Values() { clear(); }
  void clear() {
    for (TF_Tensor* value : all)
      if (value != nullptr) api.DeleteTensor(value);
    all.clear();
  }
  std::vector<TF_Tensor*> all;
};

class TfInstance final : public backend::Instance {
 public:
  explicit TfInstance(const SavedModel& model) : model_(model), buffers_(model.inputs().size()) {
    for (const Port& port : model.inputs()) input_places_.push_back(port.place);
  }

  void execute(Execution& execution) override {
    struct Cleaner {
      TfInstance& instance;
      ~Cleaner() { instance.clear(); }
    } cleaner{*this};
    for (size_t i = 0; i < model_.inputs().size(); ++i) add_input(execution, i);
    execution.mark_input_end();
    run(execution);
    execution.mark_infer_end();
    answer(execution);
  }

 private:
  void clear() {
    inputs_.clear();
    fed_.clear();
    outputs_.clear();
    ranges_.clear();
    output_ports_.clear();
    output_places_.clear();
    produced_.clear();
  }

  void add_input(const Execution& execution, size_t index) {
    const Port& port = model_.inputs()[index];
    const auto hint = static_cast<uint32_t>(index);
    if (port.fallback && all_leave_out(execution, port, hint)) {
      fed_.push_back(port.fallback.get());
      return;
    }
    Handle<TF_Tensor> made =
        port.spec.dtype == MM_STRING ? make_strings(execution, port, hint) : make_input(execution, port, index);
    fed_.push_back(made.get());
    inputs_.all.push_back(made.release());
  }

  static bool all_leave_out(const Execution& execution, const Port& port, uint32_t hint) {
    return std::none_of(execution.begin(), execution.end(),
                        [&](const Request& r) { return r.find_input(port.spec.name, hint).has_value(); });
  }

  Handle<TF_Tensor> make_input(const Execution& execution, const Port& port, size_t index) {
    const auto hint = static_cast<uint32_t>(index);
    const GatheredInput in = backend::gather(execution, port.spec.name, buffers_[index], hint);
    check_type(port, in.dtype);
    if (model_.keeps_inputs()) {
      Handle<TF_Tensor> own(api.AllocateTensor(port.type, in.sizes.data(), static_cast<int>(in.rank), in.byte_size));
      if (own == nullptr) throw std::bad_alloc();
      if (in.byte_size > 0) std::memcpy(api.TensorData(own.get()), in.data, in.byte_size);
      return own;
    }
    ranges_.emplace_back(static_cast<const std::byte*>(in.data), in.byte_size);
    return borrow_tensor(port.type, in.shape(), in.data, in.byte_size);
  }

  static Handle<TF_Tensor> make_strings(const Execution& execution, const Port& port, uint32_t hint) {
    const GatheredInput in = backend::gathered_shape(execution, port.spec.name, hint);
    check_type(port, in.dtype);
    StringTensor strings(in.shape());
    std::string storage;
    for (const Request& request : execution) {
      const mm_tensor tensor = request.input(port.spec.name, hint);
      for (const std::string_view text : backend::string_views(tensor, storage)) strings.add(text);
    }
    return strings.take();
  }

  static void check_type(const Port& port, mm_dtype dtype) {
    if (dtype != port.spec.dtype)
      throw Error(MM_INVALID_ARGUMENT, "input '" + port.spec.name + "' has type " + backend::dtype_name(dtype) +
                                           ", the model takes " + backend::dtype_name(port.spec.dtype));
  }

  /// Runs the session for the outputs that at least one request wants.
  void run(const Execution& execution) {
    for (const Port& port : model_.outputs()) {
      const bool wanted =
          std::any_of(execution.begin(), execution.end(), [&](const Request& r) { return r.wants(port.spec.name); });
      if (!wanted) continue;
      output_ports_.push_back(&port);
      output_places_.push_back(port.place);
    }
    if (output_ports_.empty()) throw Error(MM_INVALID_ARGUMENT, "none of the requested outputs is the model's");
    outputs_.all.assign(output_ports_.size(), nullptr);
    api.SessionRun(model_.session(), nullptr, input_places_.data(), fed_.data(), static_cast<int>(fed_.size()),
                   output_places_.data(), outputs_.all.data(), static_cast<int>(outputs_.all.size()), nullptr, 0,
                   nullptr, status_.get());
    status_.check();
  }

  /// A graph may hand an input through; its memory ends with its request.
  bool is_input(const void* memory) const {
    const auto* data = static_cast<const std::byte*>(memory);
    return std::any_of(ranges_.begin(), ranges_.end(),
                       [&](const auto& range) { return data >= range.first && data < range.first + range.second; });
  }

  void answer(Execution& execution) {
    const RowCutter cutter(execution);
    bool lends = false;
    for (size_t i = 0; i < output_ports_.size(); ++i) {
      Produced& output = produced_.emplace_back(read_output(output_ports_[i]->spec.name.c_str(), outputs_.all[i]));
      output.aliased = is_input(output.data);
      cutter.check_output(output.name, output.shape());
      lends |= output.byte_size() >= backend::kCopyBelow;
    }
    // Inputs that were given zero-copy die with their request's answer; the values on them are not used any more.
    inputs_.clear();
    const Owner owner = lends ? Owner::of(std::exchange(outputs_, {})) : Owner();
    for (uint32_t i = 0; i < execution.size(); ++i) {
      Request& request = execution[i];
      try {
        Response response = request.respond();
        for (const Produced& output : produced_)
          if (request.wants(output.name)) put(response, cutter, i, output, owner);
        response.send();
      } catch (...) {
        request.fail(backend::current_error());
      }
    }
  }

  static void put(Response& response, const RowCutter& cutter, uint32_t index, const Produced& output,
                  const Owner& owner) {
    if (output.dtype != MM_STRING)
      return put_slice(response, cutter, index,
                       BatchOutput{output.name, output.dtype, output.shape(), output.data, output.aliased}, owner);
    auto sizes = output.sizes;
    const std::span<const int64_t> shape(sizes.data(), output.rank);
    size_t first = 0;
    if (!cutter.single()) {
      sizes[0] = 1;
      const size_t row = backend::element_count(shape);
      first = static_cast<size_t>(cutter.range(index).first) * row;
      sizes[0] = cutter.range(index).count;
    }
    const std::span<const uint64_t> offsets(output.offsets.data() + first, backend::element_count(shape) + 1);
    response.strings(output.name, shape, offsets, output.bytes.data());
  }

  const SavedModel& model_;
  const Status status_;
  std::vector<TF_Output> input_places_;
  std::vector<Buffer> buffers_;  // one for each input's batch

  // Of the execution that runs; kept for their memory.
  Values inputs_, outputs_;
  std::vector<TF_Tensor*> fed_;  // the inputs, and what stands for those left out
  std::vector<std::pair<const std::byte*, uint64_t>> ranges_;
  std::vector<const Port*> output_ports_;
  std::vector<TF_Output> output_places_;
  std::vector<Produced> produced_;
};

}  // namespace

std::unique_ptr<backend::Instance> make_instance(const SavedModel& model) {
  return std::make_unique<TfInstance>(model);
}

}  // namespace modelmill::tensorflow
