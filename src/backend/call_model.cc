#include <cstring>

#include "backend/handles.h"
#include "backend/host_table.h"

namespace modelmill::host {
namespace {

/// Gives the answers of another model back to the backend that asked. Owns nothing of the backend's.
class CallSink final : public ResponseSink {
 public:
  CallSink(mm_call_result_fn on_result, void* context) : on_result_(on_result), context_(context) {}

  void on_response(InferResponse response, bool final, bool has_response) override {
    if (!has_response) return on_result_(context_, nullptr, nullptr, 0, final);
    if (!response.status.ok()) return on_result_(context_, to_abi_error(response.status), nullptr, 0, final);
    Views views;
    const Status status = views.build(response);
    if (!status.ok()) return on_result_(context_, to_abi_error(status), nullptr, 0, final);
    on_result_(context_, nullptr, views.tensors.data(), static_cast<uint32_t>(views.tensors.size()), final);
  }

 private:
  struct Views {
    std::vector<mm_tensor> tensors;
    std::vector<std::vector<mm_chunk>> chunks;
    std::vector<StringTensor> strings;

    Status build(const InferResponse& response);
  };

  const mm_call_result_fn on_result_;
  void* const context_;
};

mm_chunk chunk_of(const Bytes& bytes) {
  mm_chunk chunk{};
  chunk.struct_size = sizeof chunk;
  chunk.data = bytes.data();
  chunk.size = bytes.size();
  return chunk;
}

Status CallSink::Views::build(const InferResponse& response) {
  chunks.reserve(response.outputs.size());
  strings.reserve(response.outputs.size());
  for (const Tensor& output : response.outputs) {
    mm_tensor view{};
    view.struct_size = sizeof view;
    view.name = output.name.c_str();
    view.dtype = static_cast<mm_dtype>(output.dtype);
    view.rank = static_cast<uint32_t>(output.shape.size());
    view.shape = output.shape.data();
    view.element_count = static_cast<uint64_t>(element_count(dims(output.shape)).value_or(0));
    auto& pieces = chunks.emplace_back();
    if (output.dtype == DataType::kBytes) {
      MM_ASSIGN_OR_RETURN(StringTensor decoded, decode_strings(output));
      strings.push_back(std::move(decoded));
      pieces.push_back(chunk_of(strings.back().bytes));
      view.offsets = strings.back().offsets.data();
    } else {
      for (const Bytes& piece : output.data) pieces.push_back(chunk_of(piece));
    }
    for (const mm_chunk& piece : pieces) view.byte_size += piece.size;
    view.chunks = pieces.data();
    view.chunk_count = static_cast<uint32_t>(pieces.size());
    tensors.push_back(view);
  }
  return ok_status();
}

/// The bytes of a backend's tensor as one piece of our own.
Bytes copy_chunks(const mm_tensor& in) {
  uint64_t size = 0;
  for (uint32_t i = 0; i < in.chunk_count; ++i) size += in.chunks[i].size;
  MemoryRef memory = Memory::allocate(size);
  std::byte* to = memory->data();
  for (uint32_t i = 0; i < in.chunk_count; ++i) {
    if (in.chunks[i].size > 0) std::memcpy(to, in.chunks[i].data, in.chunks[i].size);
    to += in.chunks[i].size;
  }
  return Bytes(std::move(memory));
}

Result<Tensor> copy_tensor(const mm_tensor& in) {
  if (in.struct_size < sizeof(mm_tensor)) return invalid_argument("struct_size of an input is not set");
  if (in.name == nullptr || in.dtype <= MM_DTYPE_INVALID || in.dtype > MM_BF16 || in.rank > kMaxRank)
    return invalid_argument("an input lacks its name, or has an unknown type or too high a rank");
  for (uint32_t i = 0; i < in.chunk_count; ++i)
    if (in.chunks[i].kind == MM_MEMORY_GPU)
      return unavailable("input '" + std::string(in.name) + "' is in GPU memory, which this server can't read");
  Tensor out;
  out.name = in.name;
  out.dtype = static_cast<DataType>(in.dtype);
  out.shape.assign(in.shape, in.shape + in.rank);
  Bytes bytes = copy_chunks(in);
  if (out.dtype == DataType::kBytes) {
    const auto count = element_count(dims(out.shape));
    if (!count || in.offsets == nullptr)
      return invalid_argument("input '" + out.name + "' lacks offsets or has an impossible shape");
    const std::span<const uint64_t> offsets(in.offsets, static_cast<size_t>(*count) + 1);
    if (offsets.back() > bytes.size()) return invalid_argument("input '" + out.name + "': its offsets pass its bytes");
    MM_ASSIGN_OR_RETURN(bytes, encode_strings(offsets, bytes.data()));
  }
  out.data.push_back(std::move(bytes));
  MM_RETURN_IF_ERROR(check_tensor_bytes(out));
  return out;
}

Status start_call(mm_host_model* caller, const mm_call_model_args& args) {
  if (!MM_HAS(&args, context) || args.on_result == nullptr || args.model == nullptr)
    return invalid_argument("mm_call_model_args is too short, or lacks the model or on_result");
  if (!caller->call_model) return unavailable("this server does not let backends call other models");
  std::vector<Tensor> inputs;
  for (uint32_t i = 0; i < args.input_count; ++i) {
    MM_ASSIGN_OR_RETURN(Tensor input, copy_tensor(args.inputs[i]));
    inputs.push_back(std::move(input));
  }
  // Once the request exists it answers through on_result, so nothing may fail any more.
  auto request = std::make_unique<InferRequest>(std::make_shared<CallSink>(args.on_result, args.context));
  request->model = args.model;
  request->version = args.version;
  for (Tensor& input : inputs) request->inputs.push_back(std::move(input));
  if (args.parent != nullptr) {
    request->id = args.parent->id;
    request->deadline = args.parent->deadline;
    request->cancel = args.parent->cancel;
    request->priority = args.parent->priority;
  } else if (MM_HAS(&args, deadline_ns) && args.deadline_ns > 0) {
    request->deadline = TimePoint(std::chrono::nanoseconds(args.deadline_ns));
  }
  request->times.received = Clock::now();
  caller->call_model(std::move(request));
  return ok_status();
}

}  // namespace

mm_error* call_model(mm_host_model* caller, const mm_call_model_args* args) {
  return host_call([&]() -> Status {
    return start_call(caller, *args)
        .with_context(caller->label() + " calls model '" + (args->model != nullptr ? args->model : "") + "'");
  });
}

}  // namespace modelmill::host
