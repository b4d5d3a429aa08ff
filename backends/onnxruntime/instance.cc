#include <algorithm>

#include "model.h"
#include "support/run_watch.h"
#include "zipmap.h"

namespace modelmill::ort {
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

/// The values that a Run gave; alive for as long as an answer uses their memory. ONNX Runtime's values hold their
/// allocator themselves, so they may outlive the session.
struct Values {
  Values() = default;
  Values(Values&& other) noexcept : all(std::move(other.all)) { other.all.clear(); }
  Values& operator=(Values&& other) noexcept {
    std::swap(all, other.all);
    return *this;
  }
  ~Values() { clear(); }
  void clear() {
    for (OrtValue* value : all)
      if (value != nullptr) api->ReleaseValue(value);
    all.clear();
  }
  std::vector<OrtValue*> all;
};

/// An output of the batch as it came out of Run.
struct Produced {
  const char* name;
  mm_dtype dtype;
  uint32_t rank;
  std::array<int64_t, backend::kMaxRank> sizes;
  void* data = nullptr;         // null for strings
  std::vector<size_t> offsets;  // strings: where each begins, and the end
  std::string bytes;
  bool aliased = false;  // the memory is an input's, or its own, and can't be lent
  UnzippedMaps maps;     // of a port that comes so

  std::span<const int64_t> shape() const { return {sizes.data(), rank}; }
  uint64_t byte_size() const { return backend::element_count(shape()) * backend::element_size(dtype); }
};

class OrtInstance final : public backend::Instance {
 public:
  explicit OrtInstance(const OrtModel& model) : model_(model), run_options_(model.options().run_options()) {
    OrtMemoryInfo* memory = nullptr;
    check(api->CreateCpuMemoryInfo(OrtDeviceAllocator, OrtMemTypeDefault, &memory));
    memory_.reset(memory);
    buffers_.resize(model.inputs().size());
    for (const Port& port : model.inputs()) input_names_.push_back(port.spec.name.c_str());
  }

  void execute(Execution& execution) override {
    struct Cleaner {
      OrtInstance& instance;
      ~Cleaner() { instance.clear(); }
    } cleaner{*this};
    for (size_t i = 0; i < model_.inputs().size(); ++i) inputs_.all.push_back(make_input(execution, i));
    execution.mark_input_end();
    if (!run(execution)) return fail_unwanted(execution);
    execution.mark_infer_end();
    answer(execution);
  }

 private:
  void terminate() const {
    if (OrtStatus* const status = api->RunOptionsSetTerminate(run_options_.get())) api->ReleaseStatus(status);
  }

  void clear() {
    inputs_.clear();
    outputs_.clear();
    ranges_.clear();
    output_ports_.clear();
    output_names_.clear();
  }

  OrtValue* make_input(const Execution& execution, size_t index) {
    const Port& port = model_.inputs()[index];
    const auto hint = static_cast<uint32_t>(index);
    if (port.spec.dtype == MM_STRING) return make_strings(execution, port, hint);
    const GatheredInput in = backend::gather(execution, port.spec.name, buffers_[index], hint);
    check_type(port, in.dtype);
    OrtValue* value = nullptr;
    check(api->CreateTensorWithDataAsOrtValue(memory_.get(), const_cast<void*>(in.data), in.byte_size, in.sizes.data(),
                                              in.rank, port.type, &value));
    ranges_.emplace_back(static_cast<const std::byte*>(in.data), in.byte_size);
    return value;
  }

  static OrtValue* make_strings(const Execution& execution, const Port& port, uint32_t hint) {
    const GatheredInput in = backend::gathered_shape(execution, port.spec.name, hint);
    check_type(port, in.dtype);
    OrtAllocator* allocator = nullptr;
    check(api->GetAllocatorWithDefaultOptions(&allocator));
    OrtValue* made = nullptr;
    check(api->CreateTensorAsOrtValue(allocator, in.sizes.data(), in.rank, port.type, &made));
    Handle<OrtValue> value(made);
    size_t at = 0;
    for (const Request& request : execution) {
      std::string storage;
      const mm_tensor tensor = request.input(port.spec.name, hint);
      for (std::string_view text : backend::string_views(tensor, storage)) {
        char* to = nullptr;
        check(api->GetResizedStringTensorElementBuffer(made, at++, text.size(), &to));
        std::copy(text.begin(), text.end(), to);
      }
    }
    return value.release();
  }

  static void check_type(const Port& port, mm_dtype dtype) {
    if (dtype != port.spec.dtype)
      throw Error(MM_INVALID_ARGUMENT, "input '" + port.spec.name + "' has type " + backend::dtype_name(dtype) +
                                           ", the model takes " + backend::dtype_name(port.spec.dtype));
  }

  /// Runs the session for the outputs that at least one request wants. False when it was terminated, because nobody
  /// waits for the answer any more.
  bool run(const Execution& execution) {
    for (const Port& port : model_.outputs()) {
      const bool wanted =
          std::any_of(execution.begin(), execution.end(), [&](const Request& r) { return r.wants(port.spec.name); });
      if (!wanted) continue;
      output_ports_.push_back(&port);
      output_names_.push_back(port.spec.name.c_str());
    }
    if (output_names_.empty()) throw Error(MM_INVALID_ARGUMENT, "none of the requested outputs is the model's");
    outputs_.all.assign(output_names_.size(), nullptr);
    backend::RunWatch::Run watched(watch_, execution);
    OrtStatus* const status =
        api->Run(model_.session(), run_options_.get(), input_names_.data(), inputs_.all.data(), inputs_.all.size(),
                 output_names_.data(), output_names_.size(), outputs_.all.data());
    if (watched.end()) {
      if (status != nullptr) api->ReleaseStatus(status);
      check(api->RunOptionsUnsetTerminate(run_options_.get()));
      return false;
    }
    check(status);
    return true;
  }

  Produced read_output(size_t index) const {
    OrtValue* value = outputs_.all[index];
    Produced out;
    out.name = output_names_[index];
    if (value != nullptr && output_ports_[index]->zipmap) {
      out.maps = unzip_maps(value);
      out.dtype = MM_FP32;
      out.rank = 2;
      out.sizes[0] = out.maps.rows;
      out.sizes[1] = out.maps.classes;
      out.data = out.maps.numbers.data();
      out.aliased = true;
      return out;
    }
    int is_tensor = 0;
    if (value != nullptr) check(api->IsTensor(value, &is_tensor));
    if (is_tensor == 0) throw Error(MM_INTERNAL, "output '" + std::string(out.name) + "' came without a tensor");
    OrtTensorTypeAndShapeInfo* made = nullptr;
    check(api->GetTensorTypeAndShape(value, &made));
    const Handle<OrtTensorTypeAndShapeInfo> info(made);
    ONNXTensorElementDataType type = ONNX_TENSOR_ELEMENT_DATA_TYPE_UNDEFINED;
    size_t rank = 0;
    check(api->GetTensorElementType(made, &type));
    check(api->GetDimensionsCount(made, &rank));
    if (rank > backend::kMaxRank)
      throw Error(MM_INTERNAL, "output '" + std::string(out.name) + "' has more than 32 dimensions");
    check(api->GetDimensions(made, out.sizes.data(), rank));
    out.rank = static_cast<uint32_t>(rank);
    out.dtype = from_ort(type);
    if (out.dtype == MM_STRING) {
      read_strings(value, out);
    } else {
      check(api->GetTensorMutableData(value, &out.data));
      // A graph may hand an input through; its memory ends with its request.
      const auto* data = static_cast<const std::byte*>(out.data);
      out.aliased = std::any_of(ranges_.begin(), ranges_.end(), [&](const auto& range) {
        return data >= range.first && data < range.first + range.second;
      });
    }
    return out;
  }

  static void read_strings(const OrtValue* value, Produced& out) {
    const size_t count = backend::element_count(out.shape());
    size_t length = 0;
    check(api->GetStringTensorDataLength(value, &length));
    out.bytes.resize(length);
    out.offsets.resize(count + 1);
    if (count > 0) check(api->GetStringTensorContent(value, out.bytes.data(), length, out.offsets.data(), count));
    out.offsets[count] = length;
  }

  void answer(Execution& execution) {
    const RowCutter cutter(execution);
    produced_.clear();
    bool lends = false;
    for (size_t i = 0; i < output_names_.size(); ++i) {
      produced_.push_back(read_output(i));
      cutter.check_output(produced_.back().name, produced_.back().shape());
      lends |= produced_.back().byte_size() >= backend::kCopyBelow;
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
    produced_.clear();
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
    const std::vector<uint64_t> offsets(
        output.offsets.begin() + static_cast<std::ptrdiff_t>(first),
        output.offsets.begin() + static_cast<std::ptrdiff_t>(first + backend::element_count(shape) + 1));
    response.strings(output.name, shape, offsets, output.bytes.data());
  }

  const OrtModel& model_;
  const Handle<OrtRunOptions> run_options_;
  backend::RunWatch watch_{[this] { terminate(); }};
  Handle<OrtMemoryInfo> memory_;
  std::vector<const char*> input_names_;
  std::vector<Buffer> buffers_;  // one for each input's batch

  // Of the execution that runs; kept for their memory.
  Values inputs_, outputs_;
  std::vector<std::pair<const std::byte*, uint64_t>> ranges_;
  std::vector<const Port*> output_ports_;
  std::vector<const char*> output_names_;
  std::vector<Produced> produced_;
};

}  // namespace

std::unique_ptr<backend::Instance> make_instance(const OrtModel& model) { return std::make_unique<OrtInstance>(model); }

}  // namespace modelmill::ort
