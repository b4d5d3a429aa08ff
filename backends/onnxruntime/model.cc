#include "model.h"

#include <algorithm>
#include <filesystem>
#include <thread>

#include "support/quiet_load.h"
#include "zipmap.h"

namespace modelmill::ort {
namespace {

using backend::Error;
using backend::TensorSpec;

struct TypePair {
  mm_dtype ours;
  ONNXTensorElementDataType theirs;
};
constexpr TypePair kTypes[] = {
    {MM_BOOL, ONNX_TENSOR_ELEMENT_DATA_TYPE_BOOL},     {MM_UINT8, ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT8},
    {MM_UINT16, ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT16}, {MM_UINT32, ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT32},
    {MM_UINT64, ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT64}, {MM_INT8, ONNX_TENSOR_ELEMENT_DATA_TYPE_INT8},
    {MM_INT16, ONNX_TENSOR_ELEMENT_DATA_TYPE_INT16},   {MM_INT32, ONNX_TENSOR_ELEMENT_DATA_TYPE_INT32},
    {MM_INT64, ONNX_TENSOR_ELEMENT_DATA_TYPE_INT64},   {MM_FP16, ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT16},
    {MM_FP32, ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT},    {MM_FP64, ONNX_TENSOR_ELEMENT_DATA_TYPE_DOUBLE},
    {MM_STRING, ONNX_TENSOR_ELEMENT_DATA_TYPE_STRING}, {MM_BF16, ONNX_TENSOR_ELEMENT_DATA_TYPE_BFLOAT16}};

const char* kind_name(ONNXType kind) {
  switch (kind) {
    case ONNX_TYPE_TENSOR: return "tensor";
    case ONNX_TYPE_SEQUENCE: return "sequence";
    case ONNX_TYPE_MAP: return "map";
    case ONNX_TYPE_SPARSETENSOR: return "sparse tensor";
    case ONNX_TYPE_OPTIONAL: return "optional value";
    default: return "value of unknown kind";
  }
}

/// A name that ONNX Runtime allocated.
std::string take_name(char* name) {
  OrtAllocator* allocator = nullptr;
  check(api->GetAllocatorWithDefaultOptions(&allocator));
  std::string out = name;
  check(api->AllocatorFree(allocator, name));
  return out;
}

/// What is known of a port; `problem` says why it can't be served, if so.
struct Described {
  Port port;
  std::string problem;
};

Described describe(std::string name, const Handle<OrtTypeInfo>& type) {
  Described out;
  out.port.spec.name = std::move(name);
  ONNXType kind = ONNX_TYPE_UNKNOWN;
  check(api->GetOnnxTypeFromTypeInfo(type.get(), &kind));
  if (is_zipmap(type.get())) {
    out.port.zipmap = true;
    out.port.type = ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT;
    out.port.spec.dtype = MM_FP32;
    out.port.spec.shape = {-1, -1};
    out.port.spec.symbols = {"", ""};
    return out;
  }
  if (kind != ONNX_TYPE_TENSOR) {
    out.problem = std::string("is a ") + kind_name(kind) + ", not a tensor";
    return out;
  }
  const OrtTensorTypeAndShapeInfo* info = nullptr;
  check(api->CastTypeInfoToTensorInfo(type.get(), &info));
  check(api->GetTensorElementType(info, &out.port.type));
  out.port.spec.dtype = from_ort(out.port.type);
  if (out.port.spec.dtype == MM_DTYPE_INVALID) {
    out.problem =
        "has an element type (ONNX type " + std::to_string(out.port.type) + ") that the protocols do not carry";
    return out;
  }
  size_t rank = 0;
  check(api->GetDimensionsCount(info, &rank));
  out.port.spec.shape.resize(rank);
  std::vector<const char*> symbols(rank);
  check(api->GetDimensions(info, out.port.spec.shape.data(), rank));
  check(api->GetSymbolicDimensions(info, symbols.data(), rank));
  for (size_t i = 0; i < rank; ++i) out.port.spec.symbols.emplace_back(symbols[i] != nullptr ? symbols[i] : "");
  if (rank > backend::kMaxRank) out.problem = "has rank " + std::to_string(rank) + "; the limit is 32";
  return out;
}

/// ONNX Runtime reports an input without a shape like a scalar; then the configuration's shape, if there is one, is
/// right.
void complete_shape(TensorSpec& spec, const std::vector<TensorSpec>& configured) {
  if (!spec.shape.empty()) return;
  for (const TensorSpec& c : configured) {
    if (c.name != spec.name || c.shape.empty()) continue;
    spec.shape = c.shape;
    spec.symbols = c.symbols;
  }
}

uint64_t size_or_zero(const std::string& file) {
  std::error_code error;
  const auto size = std::filesystem::file_size(file, error);
  return error ? 0 : size;
}

}  // namespace

mm_dtype from_ort(ONNXTensorElementDataType type) {
  for (const TypePair& pair : kTypes)
    if (pair.theirs == type) return pair.ours;
  return MM_DTYPE_INVALID;
}

ONNXTensorElementDataType to_ort(mm_dtype dtype) {
  for (const TypePair& pair : kTypes)
    if (pair.ours == dtype) return pair.theirs;
  return ONNX_TENSOR_ELEMENT_DATA_TYPE_UNDEFINED;
}

OrtModel::OrtModel(const backend::ModelArgs& args, const Library::Opened& library)
    : label_("model '" + args.name + "' version " + std::to_string(args.version)),
      file_(args.file),
      cores_(static_cast<int>(std::max(1u, std::thread::hardware_concurrency()))) {
  try {
    options_ = Options::read(args.config, args.instance_threads, cores_);
    const Handle<OrtSessionOptions> session_options = options_.session_options(args.name, library.providers);
    const auto create = [&] {
      OrtSession* made = nullptr;
      check(api->CreateSession(library.env, file_.c_str(), session_options.get(), &made),
            "file " + file_ + " can't be loaded");
      session_.reset(made);
    };
    if (runs_on_callers_thread())
      backend::load_quietly(create);
    else
      create();
    read_inputs(args.config);
    read_outputs(args);
  } catch (const Error& e) {
    throw Error(e.code(), label_ + ": " + e.what());
  }
}

void OrtModel::read_inputs(const backend::ModelConfig& config) {
  OrtAllocator* allocator = nullptr;
  check(api->GetAllocatorWithDefaultOptions(&allocator));
  size_t count = 0;
  check(api->SessionGetInputCount(session_.get(), &count));
  const std::vector<TensorSpec> configured = config.inputs();
  for (size_t i = 0; i < count; ++i) {
    char* name = nullptr;
    OrtTypeInfo* type = nullptr;
    check(api->SessionGetInputName(session_.get(), i, allocator, &name));
    std::string text = take_name(name);
    check(api->SessionGetInputTypeInfo(session_.get(), i, &type));
    Described input = describe(std::move(text), Handle<OrtTypeInfo>(type));
    if (input.port.zipmap) input.problem = "is a sequence, not a tensor";
    if (!input.problem.empty())
      throw Error(MM_UNIMPLEMENTED,
                  "input '" + input.port.spec.name + "' " + input.problem + ": such models can't be served");
    complete_shape(input.port.spec, configured);
    inputs_.push_back(std::move(input.port));
  }
}

void OrtModel::read_outputs(const backend::ModelArgs& args) {
  OrtAllocator* allocator = nullptr;
  check(api->GetAllocatorWithDefaultOptions(&allocator));
  size_t count = 0;
  check(api->SessionGetOutputCount(session_.get(), &count));
  const std::vector<TensorSpec> configured = args.config.outputs();
  std::string hidden;
  for (size_t i = 0; i < count; ++i) {
    char* name = nullptr;
    OrtTypeInfo* type = nullptr;
    check(api->SessionGetOutputName(session_.get(), i, allocator, &name));
    std::string text = take_name(name);
    check(api->SessionGetOutputTypeInfo(session_.get(), i, &type));
    Described output = describe(std::move(text), Handle<OrtTypeInfo>(type));
    if (!output.problem.empty()) {
      hidden = "output '" + output.port.spec.name + "' " + output.problem;
      backend::log(args.host_model, MM_LOG_WARNING, hidden + "; it is not served");
      continue;
    }
    complete_shape(output.port.spec, configured);
    outputs_.push_back(std::move(output.port));
  }
  if (outputs_.empty())
    throw Error(MM_UNIMPLEMENTED, "it has no output that can be served" + (hidden.empty() ? "" : ": " + hidden));
}

bool OrtModel::runs_on_callers_thread() const {
  return options_.intra_op_threads == 1 && !options_.parallel && options_.providers.empty();
}

backend::ModelInfo OrtModel::info() {
  backend::ModelInfo out;
  for (const Port& port : inputs_) out.inputs.push_back(port.spec);
  for (const Port& port : outputs_) out.outputs.push_back(port.spec);
  out.capabilities = MM_CAP_OUTPUT_SHAPES_UNSURE;
  if (runs_on_callers_thread()) out.capabilities |= MM_CAP_INLINE_SAFE;
  // The weights come from the file and, in large models, from data beside it.
  out.memory_bytes = size_or_zero(file_) + size_or_zero(file_ + ".data") + size_or_zero(file_ + "_data");
  out.recommended_instances = static_cast<uint32_t>(std::max(1, cores_ / options_.intra_op_threads));
  out.platform = "onnxruntime_onnx";
  return out;
}

std::unique_ptr<backend::Instance> OrtModel::create_instance(const backend::InstanceArgs& args) {
  if (args.kind == MM_DEVICE_GPU && options_.providers.empty())
    throw Error(MM_FAILED_PRECONDITION, label_ +
                                            ": an instance on a GPU needs a provider for it, for example the parameter "
                                            "providers=CUDAExecutionProvider and onnxruntime-gpu");
  return make_instance(*this);
}

}  // namespace modelmill::ort
